"""Numbered SQL migrations, one folder an engine; `0001_log.sql` makes schema 1 from nothing."""
