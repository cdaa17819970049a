"""docs/frontends.md against the page's modules, as node imports them."""

import json
import re
import shutil
import subprocess

import pytest

from comanda.http.static_files import STATIC

from .pages import read_page

PAGE = read_page("docs/frontends.md")
PATIENCE_SECONDS = 30

REFLECT = """
const { createCartStore } = await import(process.argv[1] + "/cart.js");
const { setupConnection } = await import(process.argv[1] + "/connection.js");
const store = createCartStore();
const connection = setupConnection({ baseUrl: "http://x", tableCode: "t", store });
const state = Object.keys(store.getState());
console.log(JSON.stringify({ state, store: Object.keys(store), connection: Object.keys(connection) }));
"""


@pytest.fixture(scope="module")
def modules() -> dict[str, set[str]]:
    """The members of the store's state, of the store and of a connection."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    done = subprocess.run(
        [node, "--input-type=module", "-e", REFLECT, str(STATIC)],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {name: set(members) for name, members in json.loads(done.stdout).items()}


def methods_under(table: str) -> set[str]:
    """The methods in the first column of the table with this heading."""
    prose = PAGE.section("What one can do").prose
    rows = prose.partition(f"| {table} |")[2].partition("\n\n")[0]
    return set(re.findall(r"^\| `(\w+)\(", rows, re.MULTILINE))


def examples() -> str:
    """All JavaScript of the page."""
    return "\n".join(block.text for block in PAGE.blocks if block.language in ("js", "jsx"))


def test_the_state_on_the_page_is_the_stores(modules: dict[str, set[str]]) -> None:
    assert set(PAGE.section("What the store tells").column("state")) == modules["state"]


def test_the_methods_on_the_page_are_there(modules: dict[str, set[str]]) -> None:
    assert methods_under("method of the connection") == modules["connection"]
    on_page = methods_under("method of the store")
    assert len(on_page) > 4
    assert on_page <= modules["store"]


def test_the_examples_use_what_is_there(modules: dict[str, set[str]]) -> None:
    code = examples()
    assert set(re.findall(r"\bstate\.(\w+)", code)) <= modules["state"]
    assert set(re.findall(r"\bstore\.(\w+)", code)) <= modules["store"]
    used = set(re.findall(r"(?<!/)\bconnection(?:\.current)?\.(\w+)", code)) - {"current"}
    assert used <= modules["connection"]


def test_the_modules_are_exported_under_the_names_on_the_page() -> None:
    package = json.loads((STATIC / "package.json").read_text())
    imported = set(re.findall(r'from "comanda-page(/\w+\.js)"', examples()))
    assert {f".{name}" for name in imported} == set(package["exports"])
    assert package["name"] == "comanda-page"
    assert all((STATIC / path).is_file() for path in package["exports"].values())


def test_the_options_on_the_page_are_those_of_a_connection() -> None:
    source = (STATIC / "connection.js").read_text()
    for name in re.findall(r"`(\w+)`", PAGE.section("In tests").prose.partition("The\ntests")[0]):
        if name != "setupConnection":
            assert re.search(rf"@property .*\[{name}\]", source), name
