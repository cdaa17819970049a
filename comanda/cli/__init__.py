"""The command line: `comanda serve`, `demo`, `play`, `join`."""

from .main import app, main

__all__ = ["app", "main"]
