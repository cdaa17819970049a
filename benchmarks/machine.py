"""The machine that a benchmark ran on, in a sentence: figures say little without it."""

import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path


def machine_in_words() -> str:
    """Processor, cores, kernel, Python, node, and what the temporary files lie on."""
    parts = [
        f"{os.cpu_count()} × {_processor()}",
        f"Linux {platform.release()}",
        f"Python {platform.python_version()}",
    ]
    if shutil.which("node"):
        parts.append(f"node {_said('node', '--version').removeprefix('v')}")
    parts.append(f"databases on {_said('stat', '-f', '-c', '%T', tempfile.gettempdir())}")
    return ", ".join(parts) + "."


def load_average() -> str:
    """Of the last minute. Above the number of cores others take part in what is measured."""
    return f"{os.getloadavg()[0]:.1f}"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def _said(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()
