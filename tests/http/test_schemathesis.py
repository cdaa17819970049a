"""schemathesis against a real `comanda serve`: no 5xx, and every answer is one that the OpenAPI document has.

For longer by hand: `COMANDA_TEST_EXAMPLES=500 pytest tests/http/test_schemathesis.py`.
"""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from comanda.client.api import Api

from ..server_process import a_server
from ..signing import SECRET

STAFF = "the-staff-of-this-test-house"
EXAMPLES = int(os.environ.get("COMANDA_TEST_EXAMPLES", "12"))
"""Of each operation and phase."""

SEED = 7
PATIENCE_SECONDS = 60 + 6 * EXAMPLES

UNSAYABLE = "positive_data_acceptance"
"""What JSON Schema cannot say: a name of control characters alone, another machine's address."""

OF_SIGNED = "ignored_auth,missing_required_header,negative_data_rejection"
"""What cannot be looked at where each callback is signed, also one that is to be refused for having no
signature."""

RUNS = [
    ("nobody", False),
    ("a member", True),
    ("the staff", True),
    ("the staff", False),
    ("the POS", False),
]
"""Who asks, and whether for what there is or for whatever comes to mind."""


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[tuple[str, Path]]:
    """A server's URL and the folder with its secrets."""
    (tmp_path / "staff").write_text(f"{STAFF}\n")
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    (tmp_path / "house").mkdir()
    async with a_server(
        tmp_path / "house",
        *("--staff-token-file", str(tmp_path / "staff")),
        *("--pos-secret-file", str(tmp_path / "secret")),
    ) as server:
        yield server.url, tmp_path
        assert server.runs
        lines = [json.loads(line) for line in server.log.read_text("utf-8").splitlines()]
        assert [one for one in lines if one["level"] not in ("debug", "info", "warning")] == []


async def schemathesis(url: str, folder: Path, *options: str, signed: bool) -> None:
    """Run it to its end; what it says is the failure's text."""
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(folder / "st.toml")),
        *("run", f"{url}/openapi.json", "--seed", str(SEED), "-n", str(EXAMPLES)),
        *("--no-color", "--continue-on-failure"),
        *("--exclude-checks", f"{UNSAYABLE},{OF_SIGNED}" if signed else UNSAYABLE),
        *("--phases", "examples,coverage,fuzzing", "--warnings", "off", *options),
    ]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    environment["SCHEMATHESIS_HOOKS"] = "tests.http.schemathesis_hooks"
    if signed:
        environment["COMANDA_TEST_SIGNED"] = "1"
    with trio.fail_after(PATIENCE_SECONDS):
        run = await trio.run_process(
            command,
            check=False,
            cwd=folder,
            capture_stdout=True,
            stderr=subprocess.STDOUT,
            env=environment,
        )
    assert run.returncode == 0, run.stdout.decode()


@pytest.mark.parametrize(("role", "named"), RUNS)
async def test_every_answer_is_one_that_the_document_has(
    house: tuple[str, Path], role: str, named: bool
) -> None:
    url, folder = house
    async with Api(url) as api:
        seat = await api.join("demo-1", "Ana")
    ids = {
        "path.table_code": "demo-1",
        "path.session_pid": seat.session_pid,
        "path.restaurant_id": 7,
        "path.menu_item_id": 456,
    }
    lines = [f'"{name}" = {json.dumps(value)}' for name, value in ids.items()] if named else []
    (folder / "st.toml").write_text("\n".join(["[parameters]", *lines]) + "\n")
    token = {"a member": seat.member_token, "the staff": STAFF}.get(role)
    options = [] if token is None else ["-H", f"Authorization: Bearer {token}"]
    await schemathesis(url, folder, *options, signed=role == "the POS")
