"""The dining session: its rules (`domain`), its actor, the task that carries an order to the POS."""
