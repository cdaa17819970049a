"""Benchmarks: each runs by itself, `python -m benchmarks.NAME`, and says what it measured."""
