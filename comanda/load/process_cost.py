"""What a process on this machine has used, from /proc; None of one that cannot be seen."""

import os
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_LISTENING = "0A"


class Used(NamedTuple):
    """CPU of all its threads up to now, user and system, and the memory it holds now."""

    cpu_seconds: float
    resident_bytes: int


def used_by(pid: int) -> Used | None:
    """What the process has used; its children are not counted."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("ascii", errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # the name before may hold anything
    return Used((int(fields[11]) + int(fields[12])) / _TICKS, int(fields[21]) * _PAGE_BYTES)


def listening_pid(url: str) -> int | None:
    """The process that listens at a loopback address, where /proc shows it."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        local = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        local = False
    if not local or parts.port is None:
        return None
    inodes = _inodes_listening_at(parts.port)
    for process in Path("/proc").glob("[0-9]*"):
        try:
            for link in (process / "fd").iterdir():
                if os.readlink(link).removeprefix("socket:[").rstrip("]") in inodes:
                    return int(process.name)
        except OSError:
            continue  # another user's, or it has just ended
    return None


def _inodes_listening_at(port: int) -> set[str]:
    found = set()
    for table in ("tcp", "tcp6"):
        try:
            rows = Path(f"/proc/net/{table}").read_text("ascii").splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            words = row.split()
            if words[3] == _LISTENING and int(words[1].rpartition(":")[2], 16) == port:
                found.add(words[9])
    return found - {"0"}
