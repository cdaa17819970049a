"""README.md and all other pages against the code: commands, options, links, settings, paths, snippets."""

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from pydantic_core import PydanticUndefined
from typer.main import get_command
from typer.testing import CliRunner

from comanda import __version__
from comanda.cli.main import app
from comanda.config import Settings
from comanda.menu_file import load_menu_file

from .pages import PAGES, ROOT, Page, read_page

README = read_page("README.md")
ALL = [read_page(path.relative_to(ROOT)) for path in PAGES]
ROOMS = "comanda|docs|examples|tests|benchmarks|chaos|deploy|supply|tools"
PATH = re.compile(rf"(?<![\w/])(?:{ROOMS})/[\w./*-]*\w(?:\.\w+)?")
SPECIFICATIONS_SECTION_7 = {
    "order_timeout",
    "reconnect_timeout",
    "poll_interval",
    "retry_limit",
    "retry_delay",
    "pos_timeout",
    "lock_limit",
}
OTHERS = {"locust"}
"""Whose users need it, and Comanda does not."""

WIDE = {"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}


def name_of(page: Page) -> str:
    """The page's path in the project."""
    return str(page.path.relative_to(ROOT))


@cache
def options_of(command: str) -> frozenset[str]:
    """The options that a command's help names; fails where there is no such command."""
    asked = [command, "--help"] if command else ["--help"]
    result = CliRunner().invoke(app, asked, env=WIDE)
    assert result.exit_code == 0, f"there is no `comanda {command}`"
    left_column = re.findall(r"^│ \*? *(--[a-z-]+)(?: +(-\w))?", result.output, re.MULTILINE)
    return frozenset(option for pair in left_column for option in pair if option)


def uses(page: Page) -> list[tuple[str, list[str]]]:
    """Each use of the command line on a page: the command ("" for none) and the options with it."""
    found = []
    for line in page.code:
        for match in re.finditer(r"(?:^|[\s/])comanda (-?[a-z][^`#|]*)", line):
            words = match[1].split()
            command = "" if words[0].startswith("-") else words[0]
            found.append((command, [word for word in words if word.startswith("-")]))
    return found


def settings_rows(page: Page) -> dict[str, dict[str, str]]:
    """The rows of the README's two tables of settings, by the setting's name."""
    lines = [line for line in page.section("Settings").prose.splitlines() if line[:1] == "|"]
    rows = [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines]
    return {
        row[0].removeprefix("COMANDA_").lower(): {"option": row[1], "default": row[2]}
        for row in rows
        if row[0].startswith("COMANDA_")
    }


@pytest.mark.parametrize("page", ALL, ids=name_of)
def test_every_command_and_option_that_a_page_names_is_there(page: Page) -> None:
    for command, options in uses(page):
        assert set(options) <= options_of(command), (command, options)


def test_the_readme_names_every_command() -> None:
    commands = set(getattr(get_command(app), "commands"))  # noqa: B009  # typer's own click
    named = {command for page in ALL for command, _ in uses(page)}
    made = {"demo"} if "\nmake demo" in README.text else set()
    assert commands <= named | made


@pytest.mark.parametrize("page", ALL, ids=name_of)
def test_every_link_of_a_page_leads_somewhere(page: Page) -> None:
    for link in page.links:
        if re.match(r"https?://", link):
            continue
        path, _, anchor = link.partition("#")
        target = page.path.parent / path if path else page.path
        assert target.exists(), link
        if anchor:
            assert anchor in read_page(target.resolve().relative_to(ROOT)).anchors, link


@pytest.mark.parametrize("page", ALL, ids=name_of)
def test_every_path_that_a_page_names_is_there(page: Page) -> None:
    for code in page.code:
        for path in PATH.findall(code):
            assert list(ROOT.glob(path)) or list(ROOT.glob(f"{path}.py")), f"{path} in {code!r}"


@pytest.mark.parametrize("page", ALL, ids=name_of)
def test_every_make_target_that_a_page_names_is_there(page: Page) -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for code in page.code:
        if match := re.match(r"make (\w+)", code):
            assert match[1] in targets, code


@pytest.mark.parametrize("page", ALL, ids=name_of)
def test_every_setting_that_a_page_names_is_one(page: Page) -> None:
    # What tests and examples read for themselves is no setting of a server.
    for name in re.findall(r"\bCOMANDA_(?!TEST_)([A-Z_]+)\b", page.text):
        assert name.lower() in Settings.model_fields, name


def test_the_settings_are_those_of_the_code() -> None:
    rows = settings_rows(README)
    assert set(rows) == set(Settings.model_fields)
    shown = {name: row["default"] for name, row in rows.items()}
    assert shown == {name: in_words(name) for name in Settings.model_fields}


def in_words(name: str) -> str:
    """A setting's default as the README writes it."""
    default = Settings.model_fields[name].default
    assert default is not PydanticUndefined
    if default is None or default == ():
        return "none"
    return f"{default:g}" if isinstance(default, float) else str(default)


def test_the_settings_options_are_those_of_serve() -> None:
    rows = settings_rows(README)
    on_page = {row["option"] for row in rows.values()} - {""}
    assert on_page == options_of("serve") - {"--help", "-h"}
    for name, row in rows.items():
        assert row["option"] in ("", f"--{name.replace('_', '-')}")


def test_the_first_table_holds_the_specifications_settings() -> None:
    first = README.section("Settings").prose.partition("<details>")[0]
    named = {name.lower() for name in re.findall(r"^\| `COMANDA_(\w+)`", first, re.MULTILINE)}
    assert named == SPECIFICATIONS_SECTION_7


def test_the_menu_file_on_the_page_can_be_used(tmp_path: Path) -> None:
    (block,) = README.section("The menu file").blocks
    path = tmp_path / "menu.toml"
    path.write_text(block.text, "utf-8")
    (restaurant,) = load_menu_file(path).restaurants
    assert [table.label for table in restaurant.tables] == ["T12"]
    assert sorted(restaurant.menu.items) == [456, 457]


def test_the_program_on_the_page_prints_what_the_page_says(tmp_path: Path) -> None:
    section = README.section("In your own program")
    (block,) = (block for block in section.blocks if block.language == "python")
    done = subprocess.run(
        [sys.executable, "-c", block.text],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert f"It prints `{done.stdout.strip()}`" in section.prose


def test_the_changelog_begins_with_this_version() -> None:
    titles = [section.title for section in read_page("CHANGELOG.md").sections]
    assert next(title for title in titles if title.startswith("[")).startswith(f"[{__version__}]")


def test_the_architectures_modules_are_there() -> None:
    page = read_page("ARCHITECTURE.md")
    (house,) = (block for block in page.section("The house").blocks)
    folders = {0: ROOT / "comanda"}
    for line in house.text.splitlines()[1:]:
        indent = len(line) - len(line.lstrip())
        if indent not in (2, 4):
            continue
        names = re.split(r"\s{2,}", line.strip())
        known = names if indent == 2 and len(names) > 1 and not is_prose(names[1]) else names[:1]
        folder = folders[0] if indent == 2 else folders[2]
        for name in known:
            path = folder / name.rstrip("/")
            assert path.is_dir() if name.endswith("/") else path.with_suffix(".py").exists(), name
            if indent == 2 and path.is_dir():
                folders[2] = path


def is_prose(text: str) -> bool:
    """Whether the second column of the house is a remark and no further module."""
    return " " in text.strip()


@pytest.mark.parametrize("page", ALL, ids=name_of)
def test_the_python_on_a_page_imports_what_is_there(page: Page) -> None:
    for block in page.blocks:
        if block.language != "python":
            continue
        for node in ast.walk(ast.parse(block.text)):
            if isinstance(node, ast.ImportFrom) and node.module not in (None, *OTHERS):
                assert node.module is not None
                module = __import__(node.module, fromlist=["*"])
                for name in node.names:
                    assert hasattr(module, name.name), f"{node.module}.{name.name}"


def test_the_modules_that_the_architecture_names_in_passing_are_there() -> None:
    rooms = "runtime|actors|domain|storage|pos|http|client|cli"
    named = [code for code in read_page("ARCHITECTURE.md").code if re.match(rf"({rooms})/\w", code)]
    assert named
    for code in named:
        name = code.partition(" ")[0].rstrip("/")
        homes = [ROOT / "comanda", ROOT / "comanda" / "actors"]
        assert any((home / name).is_dir() or (home / f"{name}.py").exists() for home in homes), name
