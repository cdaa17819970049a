"""`python -m fuzz`: atheris on one decoder after another, from a small corpus of good input.

It ends by itself. Exit code 1 where a decoder has broken its promise; the input is kept and named.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from .corpus import seeds
from .decoders import DECODERS

MOST_BYTES = 4096
"""Of an input: enough for every limit that a decoder has but those of whole files."""

SLOWEST_SECONDS = 10
"""For one input; no decoder has a reason to take a hundredth of it."""

MEMORY_MEGABYTES = 1024
SHOWN_LINES = 30
"""Of a finding: the end of its traceback."""


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="for each decoder")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", action="append", choices=list(DECODERS), default=[])
    given = parser.parse_args()
    if not 1 <= given.seconds <= 86_400:
        parser.error("seconds are 1 to 86,400")
    broken = [
        name for name in given.only or DECODERS if not _holds(name, given.seconds, given.seed)
    ]
    raise SystemExit(1 if broken else 0)


def _holds(name: str, seconds: int, seed: int) -> bool:
    """Fuzz one decoder in a process of its own, in a folder that is kept where something was found."""
    folder = Path(tempfile.mkdtemp(prefix=f"comanda-fuzz-{name}-"))
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, data in enumerate(seeds(name)):
        (corpus / f"{number:03}").write_bytes(data)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "fuzz.harness", name, str(corpus)),
            *(f"-max_total_time={seconds}", f"-seed={seed}", f"-max_len={MOST_BYTES}"),
            *(f"-timeout={SLOWEST_SECONDS}", f"-rss_limit_mb={MEMORY_MEGABYTES}"),
            *(f"-artifact_prefix={folder}/", "-print_final_stats=1"),
        ],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    inputs = len(list(corpus.iterdir()))
    runs = next(
        (line.split()[-1] for line in done.stderr.splitlines() if "executed_units" in line), "?"
    )
    if done.returncode == 0:
        print(f"{name:<10} {runs:>12} inputs, {inputs} of them new ways: nothing found", flush=True)
        shutil.rmtree(folder)
        return True
    print(f"{name:<10} {runs:>12} inputs: FOUND SOMETHING, kept in {folder}")
    print("\n".join([*done.stdout.splitlines()[-SHOWN_LINES:], *done.stderr.splitlines()[-8:]]))
    return False


if __name__ == "__main__":
    main()
