"""SECURITY.md's table of attacks: each test that it names is there, and each row names one or says "none"."""

import ast
import re
from functools import cache

from .pages import ROOT, read_page

ROWS = read_page("SECURITY.md").section("Attacks and the tests that try them").table
NAMED = re.compile(r"`([\w/.]+)::(\w+)`")


@cache
def functions_of(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(one.name for one in tree.body if isinstance(one, functions))


def test_every_test_that_is_named_is_there() -> None:
    named = [found for row in ROWS for found in NAMED.findall(row["tests"])]
    assert len(named) > 30
    for path, name in named:
        assert name.startswith("test_")
        assert name in functions_of(path), f"{path} has no {name}"


def test_every_attack_has_a_test_or_says_that_it_has_none() -> None:
    for row in ROWS:
        tests = row["tests"]
        if tests.partition(";")[0] != "none":
            assert NAMED.sub("", tests).strip(", ") == "", row
            assert row["what comes of it"], row
