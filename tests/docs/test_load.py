"""docs/load.md against the load tester: its Python, its options, its defaults."""

import ast
import shutil
import subprocess

import pytest

from comanda.load import Plan

from .pages import read_page

PAGE = read_page("docs/load.md")
PYTHON = [block.text for block in PAGE.blocks if block.language == "python"]


@pytest.mark.parametrize("text", PYTHON)
def test_the_pages_python_can_be_read(text: str) -> None:
    ast.parse(text)


def test_the_pages_plan_is_one() -> None:
    (call,) = [
        node
        for node in ast.walk(ast.parse(PYTHON[0]))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Plan"
    ]
    given = {one.arg: ast.literal_eval(one.value) for one in call.keywords if one.arg}
    assert Plan(**given).closed_loop


def test_the_pages_defaults_are_those_of_the_plan() -> None:
    assert f"`--edits-per-minute` ({Plan(server='').edits_a_minute:g})" in PAGE.text


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node")
def test_the_pages_javascript_can_be_read() -> None:
    (text,) = [block.text for block in PAGE.blocks if block.language == "javascript"]
    read = subprocess.run(
        ["node", "--check", "--input-type=module", "-"],
        input=text,
        encoding="utf-8",
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert read.returncode == 0, read.stderr
