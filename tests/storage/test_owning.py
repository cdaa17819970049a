import subprocess
import sys
from pathlib import Path

import pytest

from comanda.storage.opening import DatabaseUnusable
from comanda.storage.owning import owned

HOLD = """
import sys, pathlib
from comanda.storage.owning import owned
with owned(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_owner_of_a_database_is_refused_until_the_first_has_gone(tmp_path: Path) -> None:
    path = tmp_path / "evening.db"
    with owned(path), pytest.raises(DatabaseUnusable, match="another process"), owned(path):
        pass
    with owned(path):
        pass


def test_a_killed_owner_leaves_the_database_free(tmp_path: Path) -> None:
    path = tmp_path / "evening.db"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(DatabaseUnusable, match=r"evening\.db is served"), owned(path):
            pass
        holder.kill()
        holder.wait()
        with owned(path):
            pass


def test_a_folder_that_is_not_there_is_told_in_words(tmp_path: Path) -> None:
    with (
        pytest.raises(DatabaseUnusable, match="cannot be made"),
        owned(tmp_path / "nowhere" / "evening.db"),
    ):
        pass
