"""Complete applications on top of Questlog; `docs/orchestrators.md` walks through them."""
