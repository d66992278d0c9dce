"""Benchmarks: what Questlog costs, side by side with what it replaces. Figures in README.md."""
