"""Comanda: the session runtime behind QR-code table ordering."""

__version__ = "0.1.0"
