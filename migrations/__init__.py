"""Numbered SQL migrations: a folder for the log of each engine, and one for the access file."""
