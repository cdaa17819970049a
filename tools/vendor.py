"""Brings pinned files of npm packages into the repository: `python tools/vendor.py FOLDER/packages.toml`.

Needs npm and its registry. What the list says is all that is taken; running it again changes nothing.
Beside the list it writes the files, each package's licence, and `hashes.sha256`, which
`sha256sum -c` reads and `tests/http/test_vendored.py` checks without a network.
"""

import base64
import hashlib
import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path
from typing import Any

NPM_SECONDS = 120
"""One package of some hundred kB, over a slow line."""

HASHES = "hashes.sha256"
SOURCE_MAP = re.compile(rb"\n?//# sourceMappingURL=\S+\n?")
IMPORT = re.compile(rb"""(\bfrom|\bimport)(\s*)(["'])([^"'./][^"']*)\3""")


def main(list_path: Path) -> None:
    """Fetch every package of the list and write its files, licences and hashes."""
    listed = tomllib.loads(list_path.read_text("utf-8"))
    folder = list_path.parent
    written: dict[str, bytes] = {}
    with tempfile.TemporaryDirectory(prefix="vendor-") as scratch:
        for package in listed["packages"]:
            tarball = tarball_of(package, Path(scratch))
            written |= files_of(package, tarball, listed.get("imports", {}))
    for path in folder.iterdir():
        if path != list_path and path.name not in written:
            path.unlink()
    hashes = [f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in written.items()]
    written[HASHES] = "".join(sorted(hashes, key=lambda line: line.split()[1])).encode()
    for name, data in written.items():
        (folder / name).write_bytes(data)
    print(f"{len(written)} files in {folder}")


def tarball_of(package: dict[str, Any], scratch: Path) -> Path:
    """The package as the registry has it, put into `scratch`.

    Raises:
        SystemExit: its bytes are not those that the list's `integrity` names.
    """
    named = subprocess.run(
        ["npm", "pack", "--silent", f"{package['name']}@{package['version']}"],
        cwd=scratch,
        check=True,
        timeout=NPM_SECONDS,
        stdout=subprocess.PIPE,
        text=True,
    )
    tarball = scratch / named.stdout.strip()
    digest = base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode()
    if package["integrity"] != f"sha512-{digest}":
        raise SystemExit(f"{package['name']} is not what was pinned: its hash is sha512-{digest}")
    return tarball


def files_of(package: dict[str, Any], tarball: Path, imports: dict[str, str]) -> dict[str, bytes]:
    """The files that the list wants of a package, by their new names, and its licence."""
    name, version, licence = package["name"], package["version"], package["licence"]
    licence_name = f"LICENSE-{name.replace('/', '-').strip('@')}"
    wanted = {**package["files"], "LICENSE": licence_name}
    found: dict[str, bytes] = {}
    with tarfile.open(tarball) as archive:
        for source, target in wanted.items():
            member = archive.extractfile(f"package/{source}")
            assert member is not None, f"{source} of {name} is no file"
            found[target] = member.read()
            if target.endswith(".js"):
                banner = f"/*! {name} {version}, {licence}, see {licence_name} */\n".encode()
                # A list without imports holds no modules: nothing in them is rewritten.
                source_text = as_module(found[target], imports) if imports else found[target]
                found[target] = banner + source_text
    return found


def as_module(source: bytes, imports: dict[str, str]) -> bytes:
    """A module that needs no build: bare imports become relative, the source map is not asked for.

    Raises KeyError for an import that the list does not name.
    """

    def relative(match: re.Match[bytes]) -> bytes:
        keyword, space, quote, bare = match.groups()
        return keyword + space + quote + imports[bare.decode()].encode() + quote

    return IMPORT.sub(relative, SOURCE_MAP.sub(b"", source)).rstrip() + b"\n"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
