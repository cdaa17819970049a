"""What both FastAPI services share: a table's cart, and the JSON in which it is told."""

import json
from datetime import UTC, datetime
from typing import Any

Line = dict[str, Any]

FIRST_LINE: Line = {
    "public_id": "line-1",
    "menu_item_id": 101,
    "name": "Margherita",
    "unit_price": 625.00,
    "qty": 1,
    "note": "",
    "state": "pending",
    "available": True,
    "added_by": "member_0_0",
}
"""Every table begins with it: what is measured is how it is changed."""


class Cart:
    """One table's lines; `seq` counts its events."""

    def __init__(self) -> None:
        self.seq = 0
        self.lines = {FIRST_LINE["public_id"]: FIRST_LINE}

    def edited(self, edit: dict[str, Any]) -> Line:
        """The line as an `update_item` wants it. Nothing has changed yet."""
        return {**self.lines[edit["public_id"]], "qty": edit["qty"]}

    def adopt(self, line: Line, by: str) -> str:
        """Take a changed line. The event that tells it."""
        self.seq += 1
        self.lines[line["public_id"]] = line
        return _compact(
            {
                "type": "cart_updated",
                "seq": self.seq,
                "by_member": by,
                "items": [line],
                "removed": [],
                "total": self._total(),
                "timestamp": datetime.now(UTC).isoformat(),
            }
        )

    def snapshot(self) -> str:
        """The whole cart, for who has just come."""
        lines = list(self.lines.values())
        told = {"type": "cart_snapshot", "seq": self.seq, "items": lines, "total": self._total()}
        return _compact(told)

    def _total(self) -> float:
        return float(sum(line["unit_price"] * line["qty"] for line in self.lines.values()))


def _compact(told: dict[str, Any]) -> str:
    return json.dumps(told, separators=(",", ":"))
