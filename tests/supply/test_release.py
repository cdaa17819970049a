"""What a release holds: all of the package in the wheel, the same bytes each time, and locks that agree."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PINNED = re.compile(
    r"^([a-z][\w.-]*)==(\S+) \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.M
)


def a_wheel(folder: Path) -> Path:
    """The wheel, built as `make dist` builds it."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    [wheel] = folder.glob("*.whl")
    return wheel


def pins(lock: str) -> dict[str, tuple[str, frozenset[str]]]:
    """Each package of a lock: its version and the hashes that it may have."""
    text = (ROOT / lock).read_text("utf-8")
    found = {
        name: (version, frozenset(re.findall(r"sha256:(\w+)", hashes)))
        for name, version, hashes in PINNED.findall(text)
    }
    assert len(found) == len(re.findall(r"^[a-z][^\n]*==", text, re.M))
    return found


def test_the_wheel_holds_every_file_of_the_package_and_nothing_else(tmp_path: Path) -> None:
    package = ROOT / "comanda"
    there = {
        str(path.relative_to(ROOT))
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(a_wheel(tmp_path)) as wheel:
        held = {name for name in wheel.namelist() if ".dist-info/" not in name}
        [points] = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
        assert "comanda = comanda.cli:main" in wheel.read(points).decode()
    assert held == there
    assert "comanda/http/static/index.html" in held
    assert "comanda/demo_menu.toml" in held


def test_a_wheel_that_is_built_again_is_the_same_to_the_byte(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    assert a_wheel(first).read_bytes() == a_wheel(second).read_bytes()


@pytest.mark.parametrize(
    "lock", ["requirements.lock", "deploy/requirements.lock", "supply/requirements.lock"]
)
def test_every_package_of_a_lock_has_its_hashes(lock: str) -> None:
    assert len(pins(lock)) > 30


def test_what_is_installed_at_a_restaurant_is_what_is_tested_here() -> None:
    tested, installed = pins("requirements.lock"), pins("deploy/requirements.lock")
    assert installed.items() <= tested.items()
    assert not {"pytest", "mypy", "playwright"} & set(installed)
