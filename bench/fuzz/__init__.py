"""Fuzzing: mutated frames and requests against a running server, and a judge of its answers."""
