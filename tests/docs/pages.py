"""Reading the project's Markdown pages: sections, tables, JSON examples, links."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])

_HEADING = re.compile(r"^(#{1,6}) (.+)$")
_FENCE = re.compile(r"^```(\w*)$")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """A fenced block, and the last line of prose above it."""

    language: str
    text: str
    above: str


@dataclass(frozen=True)
class Section:
    """What stands under one heading, up to the next heading of any level."""

    title: str
    prose: str
    blocks: tuple[Block, ...]

    @property
    def table(self) -> list[dict[str, str]]:
        """The rows of the section's only table."""
        lines = [line for line in self.prose.splitlines() if line.startswith("|")]
        assert len(lines) > 2, f"no table under {self.title!r}"
        names, rule, *rows = [
            [cell.strip() for cell in line.strip("|").split("|")] for line in lines
        ]
        assert set("".join(rule)) <= set("- :"), f"more than one table under {self.title!r}"
        assert all(len(row) == len(names) for row in rows), f"a ragged table under {self.title!r}"
        return [dict(zip(names, row, strict=True)) for row in rows]

    def column(self, name: str) -> list[str]:
        """One column of the table, without the backticks; each cell must be unlike the others."""
        cells = [row[name].strip("`") for row in self.table]
        assert len(set(cells)) == len(cells), f"a row stands twice under {self.title!r}"
        return cells

    def json(self, above: str = "") -> list[Any]:
        """The JSON examples whose last line of prose above them begins with `above`."""
        return [
            json.loads(block.text)
            for block in self.blocks
            if block.language == "json" and block.above.startswith(above)
        ]


@dataclass(frozen=True)
class Page:
    """One Markdown page."""

    path: Path
    text: str
    sections: tuple[Section, ...]

    def section(self, title: str) -> Section:
        """The one section with this title."""
        (found,) = (one for one in self.sections if one.title == title)
        return found

    @property
    def blocks(self) -> list[Block]:
        """All fenced blocks."""
        return [block for section in self.sections for block in section.blocks]

    @property
    def links(self) -> list[str]:
        """The targets of all links and pictures."""
        return [link for section in self.sections for link in _LINK.findall(section.prose)]

    @property
    def code(self) -> list[str]:
        """All code: the lines of fenced blocks, and spans in the prose."""
        lines = [line for block in self.blocks for line in block.text.splitlines()]
        spans = re.findall(r"`([^`]+)`", "\n".join(section.prose for section in self.sections))
        return lines + [" ".join(span.split()) for span in spans]

    @property
    def anchors(self) -> set[str]:
        """The fragments that links to this page may name, as GitHub makes them."""
        return {
            re.sub(r"[^\w\- ]", "", section.title.lower()).replace(" ", "-")
            for section in self.sections
        }


def read_page(path: str | Path) -> Page:
    """A page, by its path from the project's folder."""
    whole = (ROOT / path).read_text("utf-8")
    sections: list[Section] = []
    title, prose, blocks = "", list[str](), list[Block]()
    fence: tuple[str, list[str]] | None = None
    above = ""
    for line in whole.splitlines():
        if fence is not None:
            if line == "```":
                blocks.append(Block(fence[0], "\n".join(fence[1]), above))
                fence = None
            else:
                fence[1].append(line)
        elif match := _FENCE.match(line):
            fence = (match[1], [])
        elif match := _HEADING.match(line):
            sections.append(Section(title, "\n".join(prose), tuple(blocks)))
            title, prose, blocks, above = match[2].replace("`", ""), [], [], ""
        else:
            prose.append(line)
            above = line.strip() or above
    assert fence is None, f"{path}: a fence is left open"
    sections.append(Section(title, "\n".join(prose), tuple(blocks)))
    return Page(ROOT / path, whole, tuple(sections))
