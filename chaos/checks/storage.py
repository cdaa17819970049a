"""The database's own integrity, after each kill."""

from collections.abc import Iterator

from ..evidence import Evidence, Violation


def sound_database(evidence: Evidence) -> Iterator[Violation]:
    """Integrity and foreign keys hold in every sample."""
    for sample in evidence.samples:
        for fault in sample.faults:
            yield Violation("integrity", f"after life {sample.life}: {fault}")
