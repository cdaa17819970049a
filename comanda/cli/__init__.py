"""The command line: `comanda serve`, `demo`, `play`, `join`, `orders`, `resolve`, `pos`,
`simulate`, `load`."""

from .main import app, main

__all__ = ["app", "main"]
