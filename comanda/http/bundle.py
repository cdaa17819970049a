"""Many modules as one script and many styles as one sheet, so that a page is there in one round trip.

Over HTTP/1.1 a browser takes six files of one host at a time: forty modules, preloaded or not, are seven
round trips, which a slow phone counts in seconds. The modules stay as they are, each at its own address,
for other front ends; a page of ours loads what is made of them here, when the server starts.

No parser of JavaScript: imports and exports are read in the forms that our modules and the vendored ones
have. Any other form is an error at the start, and never a page that is half there.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import PurePosixPath

_STARTS = r"(?:^|(?<=[;}]))"
"""Where a statement begins: on a new line, or anywhere in a minified file."""

_NAMES = r"\{([^{}]*)\}"
_PATH = r'"(\.{1,2}/[^"]+)"'
_FROM = rf"\s*from\s*{_PATH}"
_IMPORT = re.compile(
    rf"{_STARTS}import\s*(?:(?:{_NAMES}|([\w$]+))\s*from\s*)?{_PATH};?", re.MULTILINE
)
_PASSED_ON = re.compile(rf"{_STARTS}export\s*{_NAMES}{_FROM};?", re.MULTILINE)
_LISTED = re.compile(rf"{_STARTS}export\s*{_NAMES};?", re.MULTILINE)
_DECLARED = re.compile(
    rf"{_STARTS}export\s+((?:async\s+)?function\*?|const|class)\s+([\w$]+)", re.MULTILINE
)
_DEFAULT = re.compile(rf"{_STARTS}export\s+default\b", re.MULTILINE)
_LEFT = re.compile(rf"{_STARTS}\s*(?:import|export)\b(?!\s*[.(])[^\n]{{0,60}}", re.MULTILINE)


class CannotBundle(Exception):
    """A module says something that is not understood here; the text says which and what."""


def modules_of(entry: str, sources: Mapping[str, str]) -> list[str]:
    """Every module that `entry` imports, directly or not, each after those that it imports itself.

    Raises:
        KeyError: one imports what is not there.
        CannotBundle: modules import each other in a circle.
    """
    imported: dict[str, list[str]] = {}
    found = [entry]
    for name in found:
        if name not in imported:
            imported[name] = _imports(name, sources[name])
            found += imported[name]
    try:
        return list(TopologicalSorter(imported).static_order())
    except CycleError as error:
        raise CannotBundle(f"modules in a circle: {' → '.join(error.args[1])}") from error


def one_script(entry: str, sources: Mapping[str, str]) -> str:
    """`entry` and all that it imports as the source of one module, which runs as they would.

    Each becomes a function that gives what the module exports. A binding is taken when it is imported, so
    nothing that is exported may change later; constants, functions and classes do not.

    Raises:
        KeyError, CannotBundle: as `modules_of`; also for an import or export of another form, and for a
            name that is imported and not exported.
    """
    functions: list[str] = []
    known: dict[str, _Bundled] = {}
    for name in modules_of(entry, sources):
        bundled = _Bundled(f"$module{len(known)}")
        body = _body(name, sources[name], bundled.gives, known)
        gives = ", ".join(f"{outside}: {inside}" for outside, inside in bundled.gives.items())
        functions.append(
            f"const {bundled.variable} = (() => {{\n{body}\nreturn {{ {gives} }};\n}})();\n"
        )
        known[name] = bundled
    return "".join(functions)


@dataclass(frozen=True)
class _Bundled:
    """A module in the script: the variable that holds what it exports, and of what name inside that is."""

    variable: str
    gives: dict[str, str] = field(default_factory=dict)


def _imports(name: str, source: str) -> list[str]:
    paths = [found[-1] for found in _IMPORT.findall(source) + _PASSED_ON.findall(source)]
    return [_beside(name, path) for path in paths]


def _body(name: str, source: str, gives: dict[str, str], known: Mapping[str, _Bundled]) -> str:
    """A module without its imports and exports; `gives` gets what it exports."""

    def member(path: str, wanted: str) -> str:
        module = known[_beside(name, path)]
        if wanted not in module.gives:
            raise CannotBundle(f"{name}: {path} does not export {wanted}")
        return f"{module.variable}.{wanted}"

    def importing(found: re.Match[str]) -> str:
        names, default, path = found.groups()
        pairs = _pairs(names or "") if default is None else [("default", default)]
        return "".join(f"const {here} = {member(path, there)};" for there, here in pairs)

    def passing_on(found: re.Match[str]) -> str:
        gives.update((outside, member(found[2], inside)) for inside, outside in _pairs(found[1]))
        return ""

    def listing(found: re.Match[str]) -> str:
        gives.update((outside, inside) for inside, outside in _pairs(found[1]))
        return ""

    def declaring(found: re.Match[str]) -> str:
        gives[found[2]] = found[2]
        return f"{found[1]} {found[2]}"

    def by_default(_: re.Match[str]) -> str:
        gives["default"] = "$default"
        return "const $default ="

    body = _IMPORT.sub(importing, source)
    body = _PASSED_ON.sub(passing_on, body)
    body = _LISTED.sub(listing, body)
    body = _DECLARED.sub(declaring, body)
    body = _DEFAULT.sub(by_default, body)
    left = _LEFT.search(body)
    if left is not None:
        raise CannotBundle(f"{name}: {left[0].strip()}")
    return body.rstrip()


def _pairs(names: str) -> list[tuple[str, str]]:
    """`a, b as c` as pairs of the name inside the module and the one outside."""
    pairs = [one.split(" as ") for one in names.split(",") if one.strip()]
    return [(pair[0].strip(), pair[-1].strip()) for pair in pairs]


def _beside(name: str, path: str) -> str:
    """The module that `path` names in an import of `name`."""
    parts: list[str] = []
    for part in (*PurePosixPath(name).parent.parts, *PurePosixPath(path).parts):
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)
