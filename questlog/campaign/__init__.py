"""The campaign as events: commands are decided, events evolve the state. Pure; no I/O."""
