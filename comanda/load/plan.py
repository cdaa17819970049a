"""What a run does: how many members, how fast, for how long. All of it travels to the workers as JSON."""

from typing import Annotated

from msgspec import Meta, Struct

COMANDA = "comanda.load.guests:Guests"
"""The dialect of Comanda's own protocol, as `module:name`."""


class Plan(Struct, frozen=True, kw_only=True):
    """One run. Times are in seconds; rates are a table's, in events a minute.

    `table_code` has `{n}` where a table's number, from 1 on, goes. `closed_loop`: one edit in flight a
    table, the next as soon as every member has heard of the last; then nobody orders, refreshes or drops.
    `request_ids`: members ask for an acknowledgement of each command. `dialect`: how the server is spoken
    to, `module:name` of a callable that is given this plan.
    """

    server: str
    tables: Annotated[int, Meta(ge=1, le=20_000)] = 500
    members: Annotated[int, Meta(ge=1, le=64)] = 4
    seconds: Annotated[float, Meta(gt=0, le=86_400)] = 60.0
    closed_loop: bool = False
    edits_a_minute: Annotated[float, Meta(ge=0, le=60_000)] = 20.0
    orders_a_minute: Annotated[float, Meta(ge=0, le=60)] = 0.1
    refreshes_a_minute: Annotated[float, Meta(ge=0, le=60)] = 0.2
    drops_a_minute: Annotated[float, Meta(ge=0, le=60)] = 0.1
    ramp_seconds: Annotated[float, Meta(ge=0, le=3600)] = 10.0
    settle_seconds: Annotated[float, Meta(gt=0, le=600)] = 30.0
    processes: Annotated[int, Meta(ge=1, le=64)] = 1
    seed: int = 0
    request_ids: bool = True
    table_code: str = "demo-{n}"
    dialect: str = COMANDA


class Job(Struct, frozen=True, kw_only=True):
    """One worker's share of a plan: every `step`-th table from `first` on (numbers from 0)."""

    plan: Plan
    first: int
    step: int

    @property
    def tables(self) -> range:
        """The numbers of its tables."""
        return range(self.first, self.plan.tables, self.step)
