"""What is vendored is what was fetched, and a browser can import it. No network is needed for that."""

import hashlib
import re
import tomllib
from pathlib import Path

import pytest

from comanda.http.static_files import STATIC

VENDOR = STATIC / "vendor"
FOR_TESTS = Path(__file__).parents[1] / "page" / "vendor"
CONTRACTS = Path(__file__).parent / "vendor"
LISTS = [one / "packages.toml" for one in (VENDOR, FOR_TESTS, CONTRACTS)]
GENERATED = {"hashes.sha256", "packages.toml"}
BARE_IMPORT = re.compile(r"""\b(?:from|import)\s*\(?["'](?!\./)""")


def hashes_of(folder: Path) -> dict[str, str]:
    """What `hashes.sha256` says of each file."""
    lines = (folder / "hashes.sha256").read_text().splitlines()
    return {name: digest for digest, name in (line.split("  ") for line in lines)}


@pytest.mark.parametrize("listed", LISTS, ids=lambda path: path.parents[1].name)
def test_every_vendored_file_has_the_bytes_that_were_fetched(listed: Path) -> None:
    folder = listed.parent
    there = {path.name for path in folder.iterdir()} - GENERATED
    found = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in there}
    assert found == hashes_of(folder)


@pytest.mark.parametrize("listed", LISTS, ids=lambda path: path.parents[1].name)
def test_every_vendored_file_comes_from_a_pinned_package_with_its_licence(listed: Path) -> None:
    packages = tomllib.loads(listed.read_text())["packages"]
    listed_files = set[str]()
    for package in packages:
        assert re.fullmatch(r"\d+\.\d+\.\d+", package["version"])
        assert re.fullmatch(r"sha512-[A-Za-z0-9+/]{86}==", package["integrity"])
        licence = f"LICENSE-{package['name'].replace('/', '-').strip('@')}"
        for name in package["files"].values():
            if not name.endswith(".js"):
                continue  # JSON has no place for one
            banner = (listed.parent / name).read_text().splitlines()[0]
            assert package["version"] in banner
            assert licence in banner
        listed_files |= {licence, *package["files"].values()}
    assert listed_files == set(hashes_of(listed.parent))


def test_a_vendored_module_imports_its_neighbours_alone() -> None:
    for path in VENDOR.glob("*.js"):
        source = path.read_text()
        assert not BARE_IMPORT.search(source), path.name
        assert "sourceMappingURL" not in source, path.name
