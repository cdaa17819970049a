"""Durable storage: SQLAlchemy Core tables, their rules and migrations, and the stores over them."""
