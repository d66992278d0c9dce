"""Where events live: the port, its SQLite adapter, the migrator and the verifier."""
