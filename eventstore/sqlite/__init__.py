"""The SQLite adapter of the port: one file, WAL, one writing connection, readers beside it."""
