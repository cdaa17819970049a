"""`make audit` says that nothing is known only where somebody has looked."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SOUND = {"name": "trio", "version": "0.35.0", "vulns": []}
WEAK = {
    "name": "jinja2",
    "version": "2.10",
    "vulns": [{"id": "PYSEC-2019-217", "aliases": ["CVE-2019-10906"]}],
}
LEFT_OUT = {"name": "trio", "skip_reason": "Dependency not found on PyPI"}


def audited(folder: Path, known: str, lock: str) -> subprocess.CompletedProcess[str]:
    """The tool with a pip-audit that prints `known` of the weak version, and `lock` of everything else."""
    (folder / "known").write_text(known)
    (folder / "lock").write_text(lock)
    pip_audit = folder / "pip-audit"
    pip_audit.write_text(
        f"#!{sys.executable}\nimport sys\n"
        "which = 'known' if sys.argv[-1].endswith('known.txt') else 'lock'\n"
        f"print(open({str(folder)!r} + '/' + which).read())\n"
        "print('the last thing that it says', file=sys.stderr)\n"
    )
    pip_audit.chmod(0o755)
    return subprocess.run(
        [sys.executable, "tools/audit.py", str(pip_audit), "some.lock"],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


def found(*dependencies: dict[str, Any]) -> str:
    return json.dumps({"dependencies": dependencies, "fixes": []})


def test_a_lock_against_which_nothing_is_known_passes(tmp_path: Path) -> None:
    done = audited(tmp_path, found(WEAK), found(SOUND))
    assert (done.returncode, done.stdout) == (0, "Nothing is known against what some.lock name\n")


def test_a_known_weakness_is_named_and_ends_with_1(tmp_path: Path) -> None:
    done = audited(tmp_path, found(WEAK), found(SOUND, WEAK))
    assert done.returncode == 1
    assert done.stdout == "jinja2 2.10: PYSEC-2019-217, CVE-2019-10906\n"


@pytest.mark.parametrize(
    ("known", "lock", "why"),
    [
        ("no JSON", found(SOUND), "the last thing that it says"),
        (found({**WEAK, "vulns": []}), found(SOUND), "does not know the weakness of jinja2"),
        (found(LEFT_OUT), found(SOUND), "1 of 1 packages"),
        (found(WEAK), found(SOUND, LEFT_OUT), "1 of 2 packages of some.lock: Dependency not found"),
    ],
    ids=["no network", "a mirror without advisories", "nothing found", "a package left out"],
)
def test_where_it_cannot_be_said_that_is_said_and_is_no_pass(
    known: str, lock: str, why: str, tmp_path: Path
) -> None:
    done = audited(tmp_path, known, lock)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("NOT AUDITED: ")
    assert why in done.stderr
