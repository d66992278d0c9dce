"""Logs as each release wrote them, and what each version of them came to then."""
