"""Plays Autobahn's own case files with kosoku, and judges each result by what Comanda's protocol says.

Autobahn's runner wants Python 2; kosoku drives the same cases on this one. A case that sends binary
messages must be closed 1003 here, one that offers compression must get none, one that sends more than the
limit must be closed 1009; every other must pass.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import trio

KOSOKU = Path(sys.executable).with_name("kosoku")
AT_ONCE = 4
"""Cases at a time: some do nothing but wait for seconds. More would make those wait that are timed."""

BINARY = ("1.2.*", "9.2.*", "9.4.*", "9.6.*", "9.8.*")
COMPRESSED = ("12.*", "13.*")
LONG = ("9.1.[2-6]", "9.3.*", "9.5.*")
"""From 256 KiB to 16 MiB in text messages."""

LONGEST_BYTES = 16 * 1024 * 1024

ROUNDS = 4
"""So often at most a case is played that fails since the client hung up by itself. Some give the server half
a second, which a busy machine may take as a whole; a server that answers wrongly does so every time."""


class Verdict(StrEnum):
    """What a case's result is here."""

    OK = "ok"
    NO_COMPRESSION = "declined: compression"
    NO_BINARY = "declined with 1003: binary"
    TOO_LONG = "declined with 1009: over the limit"
    FAILED = "failed"


class Result(msgspec.Struct, rename="camel"):
    """One case, as its report has it."""

    behavior: str
    behavior_close: str
    remote_close_code: int | None
    dropped_by_me: bool
    """The client hung up, since it had waited long enough or had seen enough."""


@dataclass(frozen=True)
class Report:
    """All cases of one run, by Autobahn's numbers."""

    verdicts: dict[str, Verdict]
    results: dict[str, Result]

    def __str__(self) -> str:
        """A line for each verdict, with the groups of its cases."""
        lines = []
        for verdict in Verdict:
            cases = [case for case, found in self.verdicts.items() if found is verdict]
            if cases:
                groups = Counter(case.split(".")[0] for case in cases)
                told = ", ".join(f"{count} of {group}.*" for group, count in groups.items())
                lines.append(f"{verdict:<36}{len(cases):>4}   {told}")
        return "\n".join([f"{'cases':<36}{len(self.verdicts):>4}", *lines])

    @property
    def failed(self) -> dict[str, Result]:
        """Those that are not as they should be."""
        return {
            case: self.results[case]
            for case, verdict in self.verdicts.items()
            if verdict is Verdict.FAILED
        }


async def play(url: str, cases: Sequence[str] = ("*",), *, long_declined: bool) -> Report:
    """Play cases against an echo endpoint. Cancelled, the client is ended.

    Args:
        cases: Autobahn's numbers, with `*` for any.
        long_declined: whether `LONG` are over the endpoint's limit.
    """
    report = await _play(url, cases, AT_ONCE, long_declined)
    for _ in range(ROUNDS - 1):
        again = [case for case, result in report.failed.items() if result.dropped_by_me]
        if not again:
            break
        more = await _play(url, again, 1, long_declined)
        report = Report(report.verdicts | more.verdicts, report.results | more.results)
    return report


async def _play(url: str, cases: Sequence[str], at_once: int, long_declined: bool) -> Report:
    with TemporaryDirectory(prefix="comanda-autobahn-") as folder:
        chosen = [word for case in cases for word in ("-i", case)]
        words = [str(KOSOKU), url, *chosen, "-p", str(at_once), "-o", folder]
        # Its status is 1 also where a case is one that we decline.
        done = await trio.run_process(words, check=False, capture_stdout=True, capture_stderr=True)
        results = _read_results(Path(folder))
    if not results:
        raise RuntimeError(f"kosoku ended with {done.returncode}: {done.stderr.decode()}")
    verdicts = {case: _judge(case, result, long_declined) for case, result in results.items()}
    return Report(verdicts, results)


def _read_results(folder: Path) -> dict[str, Result]:
    index = folder / "index.json"
    if not index.exists():
        return {}
    [of_the_one_server] = json.loads(index.read_bytes()).values()
    return {
        case: msgspec.json.decode((folder / entry["reportfile"]).read_bytes(), type=Result)
        for case, entry in of_the_one_server.items()
    }


def _judge(case: str, result: Result, long_declined: bool) -> Verdict:
    code = result.remote_close_code
    if _is_of(case, COMPRESSED):
        declined = (result.behavior, result.behavior_close) == ("UNIMPLEMENTED", "OK")
        return Verdict.NO_COMPRESSION if declined else Verdict.FAILED
    if _is_of(case, BINARY):
        return Verdict.NO_BINARY if code == 1003 else Verdict.FAILED
    if long_declined and _is_of(case, LONG):
        return Verdict.TOO_LONG if code == 1009 else Verdict.FAILED
    said = result.behavior in {"OK", "NON-STRICT", "INFORMATIONAL"}
    closed = result.behavior_close in {"OK", "INFORMATIONAL"}
    return Verdict.OK if said and closed else Verdict.FAILED


def _is_of(case: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(case, pattern) for pattern in patterns)
