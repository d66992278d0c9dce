"""Who may come in: keys, tokens, members and invites."""
