"""Makes node's service ready: its packages as locked, and better-sqlite3 compiled here."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

FOLDER = Path(__file__).parent / "peers" / "node"
SERVER = FOLDER / "server.mjs"

INSTALL_SECONDS = 300
COMPILE_SECONDS = 1200
"""SQLite is one large file; two slow cores take some minutes."""

TRY_IT = "new (require('better-sqlite3'))(':memory:')"


def make_ready(say: Callable[[str], None]) -> str | None:
    """Install and compile what is not there. None, or in a few words what is missing."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return "node and npm are not installed"
    if _runs():
        return None
    say("node: installing ws and better-sqlite3, and compiling SQLite. This takes minutes, once.")
    # A script of a package runs only where this asks for it: that of better-sqlite3, from source.
    installed = _done([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], INSTALL_SECONDS)
    if not installed:
        return "its packages could not be installed (npm ci)"
    compiled = _done([npm, "rebuild", "better-sqlite3"], COMPILE_SECONDS, _from_source(node))
    return None if compiled and _runs() else "better-sqlite3 could not be compiled (npm rebuild)"


def _from_source(node: str) -> dict[str, str]:
    """npm's settings for the compiler: node's headers are taken from beside node where they are there."""
    settings = {"npm_config_build_from_source": "true"}
    prefix = Path(node).resolve().parents[1]
    if (prefix / "include" / "node" / "node.h").exists():
        settings["npm_config_nodedir"] = str(prefix)
    return settings


def _runs() -> bool:
    return _done(["node", "-e", TRY_IT], 60)


def _done(words: list[str], seconds: float, settings: dict[str, str] | None = None) -> bool:
    """Whether a program came to a good end in time."""
    try:
        ended = subprocess.run(
            words,
            cwd=FOLDER,
            env=os.environ | (settings or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return ended.returncode == 0
