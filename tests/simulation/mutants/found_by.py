"""Which seed finds which mutant first: measured by `python -m tests.simulation.mutants`, from seed 0 on."""

from comanda.simulation.evening import ProfileName

FOUND_BY: dict[str, tuple[ProfileName, int]] = {}
"""The profile that is made for it, and the first seed of that profile that finds it."""
