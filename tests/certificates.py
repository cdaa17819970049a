"""Certificates that sign themselves, made by openssl for one test run."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

needs_openssl = pytest.mark.skipif(
    shutil.which("openssl") is None and os.environ.get("COMANDA_TEST_REQUIRE_PROXIES") != "1",
    reason="makes its certificate with openssl, which is not installed",
)


@dataclass(frozen=True)
class Certificate:
    """A certificate for `localhost` and 127.0.0.1, and its key, as files in PEM."""

    certificate: Path
    key: Path


def make_certificate(folder: Path, *, passphrase: str | None = None) -> Certificate:
    """A certificate in `folder`, good for a day; its key open, or behind a passphrase."""
    made = Certificate(folder / "certificate.pem", folder / "key.pem")
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-days",
        "1",
        "-subj",
        "/CN=localhost",
    ]
    command += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    command += ["-nodes"] if passphrase is None else ["-passout", f"pass:{passphrase}"]
    command += ["-keyout", str(made.key), "-out", str(made.certificate)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return made
