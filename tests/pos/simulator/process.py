"""`comanda pos` as a process of its own."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .helpers import PATIENCE_SECONDS

COMANDA = [sys.executable, "-m", "comanda"]


@dataclass
class Process:
    """`comanda pos`, which takes calls."""

    process: subprocess.Popen[str]
    url: str
    errors: Path

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_SECONDS)


@contextmanager
def a_process(folder: Path, *options: str, **environment: str) -> Iterator[Process]:
    """The simulator with its ledger in `folder`; killed at the block's end."""
    errors = folder / "errors"
    command = [*COMANDA, "pos", "--port", "0", "--ledger", str(folder / "ledger.jsonl")]
    with (
        errors.open("w") as stderr,
        subprocess.Popen(
            [*command, *options],
            stdout=subprocess.PIPE,
            stderr=stderr,
            encoding="utf-8",
            env={**os.environ, **environment},
        ) as process,
    ):
        try:
            assert process.stdout is not None
            first = process.stdout.readline()
            told = re.fullmatch(r"The POS takes calls at (http://127\.0\.0\.1:\d+)\n", first)
            assert told is not None, (first, errors.read_text())
            yield Process(process, told[1], errors)
        finally:
            process.kill()


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command that ends by itself."""
    return subprocess.run(
        [*COMANDA, "pos", *arguments],
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE_SECONDS,
        check=False,
        env={**os.environ, **environment},
    )


def one_sentence(done: subprocess.CompletedProcess[str]) -> str:
    """The command ended with code 2 and one line on standard error."""
    assert done.returncode == 2, done
    assert done.stdout == ""
    [line] = done.stderr.strip().splitlines()
    assert line.startswith("comanda: ")
    return line
