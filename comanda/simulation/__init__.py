"""Whole evenings on virtual time, each made by its seed: the real code in one thread, a simulated world."""
