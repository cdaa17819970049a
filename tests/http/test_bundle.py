"""Modules as one script: the same words come out of it, run by node, as of the modules themselves."""

import shutil
import subprocess
from pathlib import Path

import pytest

from comanda.http.bundle import CannotBundle, modules_of, one_script
from tests.page.needed import missing

FORMS = {
    "app.js": """
import { two, twice as double } from "./parts/numbers.js";
import { Counter, later, many } from "./parts/things.js";
import whole from "./parts/whole.js";
import "./parts/first.js";

const name = "not the other module's";
export { name };
console.log(two, double(4), new Counter().next(), await later(), [...many()], whole(3), name);
""",
    "parts/numbers.js": """
const name = 2;
export const two = name;
export function twice(n) { return two * n; }
""",
    "parts/things.js": """
import { two } from "./numbers.js";
export class Counter {
  next() { return two + 1; }
}
export async function later() { return "later"; }
export function* many() { yield* [1, 2]; }
""",
    "parts/minified.js": (
        'import{two as n}from"./numbers.js";var e=n+1,t=3;export{e as three,t};'
        'export{twice as passed}from"./numbers.js";'
    ),
    "parts/whole.js": """import { passed, three, t } from "../parts/minified.js";
export default function(n){return passed(three)+t+n}""",
    "parts/first.js": 'console.log("the first of all to speak");\n',
}
"""Every form that is understood, and names that are the same in several modules."""


def said_by(folder: Path, name: str) -> str:
    node = shutil.which("node")
    if node is None:
        missing("node is not installed")
    run = subprocess.run(
        [node, name], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_one_script_does_what_its_modules_do(tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "parts").mkdir()
    for name, source in FORMS.items():
        (tmp_path / name).write_text(source)
    script = one_script("app.js", FORMS)
    # Nobody awaits at the top of a module of ours; here it makes the test shorter.
    (tmp_path / "whole.js").write_text(script.replace("(() =>", "await (async () =>"))
    said = said_by(tmp_path, "app.js")
    assert said.splitlines() == [
        "the first of all to speak",
        "2 8 3 later [ 1, 2 ] 12 not the other module's",
    ]
    assert said_by(tmp_path, "whole.js") == said


def test_a_module_stands_after_those_that_it_imports() -> None:
    names = modules_of("app.js", FORMS)
    assert sorted(names) == sorted(FORMS)
    assert names[-1] == "app.js"
    assert names.index("parts/numbers.js") < names.index("parts/minified.js")


def test_modules_in_a_circle_are_named() -> None:
    circle = {"a.js": 'import { b } from "./b.js";', "b.js": 'import { a } from "./a.js";'}
    with pytest.raises(CannotBundle, match=r"circle: .*a\.js"):
        one_script("a.js", circle)


@pytest.mark.parametrize(
    "statement",
    [
        'import * as all from "./b.js";',
        "import { b } from './b.js';",
        'export * from "./b.js";',
        "export let changing = 1;",
        "export const { a, b } = both;",
    ],
)
def test_a_form_that_is_not_understood_is_an_error_and_no_broken_page(statement: str) -> None:
    with pytest.raises(CannotBundle, match=r"^a\.js: (import|export) "):
        one_script("a.js", {"a.js": f"const x = 1;\n{statement}\n", "b.js": ""})


def test_a_name_that_is_not_exported_is_an_error_and_not_undefined() -> None:
    modules = {"a.js": 'import { b, c } from "./b.js";', "b.js": "export const b = 1, c = 2;"}
    with pytest.raises(CannotBundle, match=r"^a\.js: \./b\.js does not export c"):
        one_script("a.js", modules)


def test_what_is_not_there_is_named() -> None:
    with pytest.raises(KeyError, match=r"gone\.js"):
        one_script("a.js", {"a.js": 'import "./gone.js";'})
