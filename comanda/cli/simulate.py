"""`comanda simulate`: evenings on virtual time, each made by its seed, and what they have broken."""

import subprocess
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from .failing import give_up

if TYPE_CHECKING:
    from comanda.simulation.campaign import Tally
    from comanda.simulation.evening import Plan
    from comanda.simulation.outcome import Outcome

BROKEN = 1
"""The exit code when an evening has broken an invariant."""

SAVE_EVERY = 100
"""Seeds between two writings of the record: what a kill can cost."""

SENTENCES_SHOWN = 3
"""Of one broken invariant; the trace has the rest."""

SHRUNK_FAILURES = 3
"""Failures that are made small at the end: each takes up to some minutes."""

ProfileOption = Literal["calm", "pos", "crashes", "network", "storage", "hostile", "all"]


def simulate(
    seeds: Annotated[int, typer.Option(min=1, help="How many evenings, from --first on.")] = 1000,
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="One evening alone: this is how a failure is replayed."),
    ] = None,
    first: Annotated[int, typer.Option(min=0, help="The first seed.")] = 0,
    minutes: Annotated[
        float | None, typer.Option(min=0.01, help="End after so long, whatever seeds are left.")
    ] = None,
    profile: Annotated[
        ProfileOption, typer.Option(help="Which faults there are: one kind, none (calm), or all.")
    ] = "all",
    processes: Annotated[int, typer.Option(min=1, max=256, help="Play side by side.")] = 1,
    trace: Annotated[
        Path | None, typer.Option(help="Write the evening's timeline here; with --seed or --plan.")
    ] = None,
    record: Annotated[
        Path | None,
        typer.Option(
            help="Keep the tally here; with a record that is there, go on where it ended."
        ),
    ] = None,
    merge: Annotated[
        list[Path] | None,
        typer.Option(help="Play nothing: add up these records. May be given several times."),
    ] = None,
    plan: Annotated[
        Path | None, typer.Option(help="Play an evening that was shrunk and written down.")
    ] = None,
    covered: Annotated[
        bool,
        typer.Option(
            "--covered",
            help="Fail, too, where a mark or a cell of the matrix was missed: for long ranges.",
        ),
    ] = False,
    shrink: Annotated[
        bool, typer.Option(help="Make the evenings that have failed as small as can be.")
    ] = True,
) -> None:
    """Play whole evenings on virtual time, and check what must always hold.

    The server's own code runs in one thread: actors, rules, storage with its schema, wire, client. The
    clock, the network, the POS, crashes and all chance are simulated, and come from the seed alone: the
    same seed is the same evening, byte for byte. SIMULATION.md says what is real and what is not.

    [bold]comanda simulate --seeds 300 --processes 2[/bold] plays 300 evenings.
    [bold]comanda simulate --seed 17 --trace evening.txt[/bold] plays one, and writes what happened.

    Exit codes: 0 nothing was broken, 1 something was, 2 it could not be run so.
    """
    from comanda.simulation.campaign import Tally

    if merge:
        total = _read_record(merge[0])
        for path in merge[1:]:
            total.merge(_read_record(path))
        _report(total, None)
        raise typer.Exit(BROKEN if total.failed or (covered and _misses(total)) else 0)
    if plan is not None:
        _play_one(_read_plan(plan), trace)
    if seed is not None:
        from comanda.simulation.planning import plan_evening

        _play_one(plan_evening(seed, profile), trace)
    if trace is not None:
        give_up("--trace is of one evening: say which with --seed")
    tally = Tally(profile, first)
    if record is not None and record.exists():
        tally = _read_record(record)
        if tally.profile != profile:
            give_up(f"{record} is a record of --profile {tally.profile}")
    _play_many(tally, first + seeds, minutes, processes, record)
    if tally.failures and shrink:
        _shrink(tally)
    raise typer.Exit(BROKEN if tally.failed or (covered and _misses(tally)) else 0)


def _misses(tally: "Tally") -> bool:
    """Say what this range has missed; whether it has missed anything."""
    from comanda.simulation.gates import not_covered

    sentences = list(not_covered(tally))
    for sentence in sentences:
        typer.secho(f"not covered: {sentence}", fg="red")
    return bool(sentences)


def _play_many(
    tally: "Tally", end: int, minutes: float | None, processes: int, record: Path | None
) -> None:
    from comanda.simulation.campaign import play_seeds

    began = time.monotonic()
    ends_at = None if minutes is None else began + minutes * 60
    seeds = range(tally.next_seed, max(end, tally.next_seed))
    played = 0
    try:
        with closing(play_seeds(seeds, tally.profile, processes)) as outcomes:
            for outcome in outcomes:
                tally.add(outcome)
                played += 1
                _tell_failure(outcome)
                if played % SAVE_EVERY == 0:
                    _save(tally, record)
                    rate = played / (time.monotonic() - began) * 60
                    typer.echo(
                        f"{tally.seeds} evenings, {rate:.0f} a minute, {tally.failed} failed"
                    )
                if ends_at is not None and time.monotonic() >= ends_at:
                    break  # what the processes have begun besides is given up
    except* KeyboardInterrupt:  # alone, or out of an evening's nurseries
        typer.echo("stopped")
    _save(tally, record)
    _report(tally, played / max(time.monotonic() - began, 0.001) * 60)


def _play_one(plan: "Plan", trace: Path | None) -> None:
    from comanda.simulation.shelf import open_shelf
    from comanda.simulation.world import play

    with open_shelf() as shelf:
        outcome = play(shelf, plan, keep_trace=True)
    if trace is not None:
        trace.write_text("\n".join(outcome.trace) + "\n")
    _tell_failure(outcome)
    faults = ", ".join(f"{name} ×{times}" for name, times in outcome.faults.items()) or "no faults"
    typer.echo(
        f"seed {plan.seed}, {plan.profile}: {outcome.orders} orders in "
        f"{outcome.virtual_seconds:.0f} virtual seconds; {faults}; trace {outcome.digest[:16]}"
    )
    raise typer.Exit(BROKEN if outcome.violations else 0)


def _tell_failure(outcome: "Outcome") -> None:
    for name, sentences in outcome.violations.items():
        typer.secho(f"{_replay(outcome.profile, outcome.seed)}  # {name}", fg="red")
        for sentence in sentences[:SENTENCES_SHOWN]:
            typer.echo(f"    {sentence}")


def _replay(profile: str, seed: int) -> str:
    return f"comanda simulate --profile {profile} --seed {seed}  # revision {_revision()}"


def _revision() -> str:
    """Git's name of this code; a `+` where files differ from it."""
    where = Path(__file__).parent
    try:
        named = subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--abbrev=12"],
            cwd=where,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return named.stdout.strip()


def _report(tally: "Tally", a_minute: float | None) -> None:
    from comanda.simulation.matrix import reachable_cells

    typer.echo()
    rate = "" if a_minute is None else f", {a_minute:.0f} a minute"
    typer.echo(
        f"{tally.seeds} evenings of profile {tally.profile}{rate}; next seed {tally.next_seed}"
    )
    typer.echo(
        f"{tally.orders} orders (at least {tally.fewest_orders} an evening), "
        f"{tally.virtual_seconds / 3600:.1f} simulated hours, {tally.played_twice} played twice"
    )
    for title, counts in (("faults", tally.faults), ("marks", _all_marks(tally))):
        typer.echo(f"\n{title}: share of evenings")
        for name, times in sorted(counts.items(), key=lambda one: (-one[1], one[0])):
            typer.echo(f"  {times / max(tally.seeds, 1):6.1%}  {name}")
    reachable = reachable_cells()
    met = sum(name in tally.cells for name in reachable)
    typer.echo(f"\nstate × POS × owner × ledger: {met} of {len(reachable)} cells, evenings in each")
    for name in reachable:
        typer.echo(f"  {tally.cells.get(name, 0):6}  {name}")
    typer.echo(f"digest {tally.digest}")
    typer.echo(f"{tally.failed} evenings have broken something")


def _all_marks(tally: "Tally") -> dict[str, int]:
    from comanda.simulation.coverage import MARKS

    return {name: tally.marks.get(name, 0) for name in MARKS}


def _shrink(tally: "Tally") -> None:
    import msgspec

    from comanda.simulation.planning import plan_evening
    from comanda.simulation.shelf import open_shelf
    from comanda.simulation.shrinking import shrink

    with open_shelf() as shelf:
        for failure in tally.failures[:SHRUNK_FAILURES]:
            name = next(iter(failure.violations))
            typer.echo(f"\nseed {failure.seed} made small, for {name}:")
            plan, outcome = shrink(shelf, plan_evening(failure.seed, tally.profile), name)
            path = Path(f"simulate-{tally.profile}-{failure.seed}.json")
            path.write_bytes(msgspec.json.format(msgspec.json.encode(plan)))
            typer.echo("\n".join(outcome.trace))
            for sentence in outcome.violations.get(name, [])[:SENTENCES_SHOWN]:
                typer.secho(f"  {name}: {sentence}", fg="red")
            typer.echo(f"  comanda simulate --plan {path}")


def _save(tally: "Tally", record: Path | None) -> None:
    import msgspec

    if record is not None:
        new = record.with_name(record.name + ".new")
        new.write_bytes(msgspec.json.format(msgspec.json.encode(tally)))
        new.replace(record)


def _read_record(path: Path) -> "Tally":
    import msgspec

    from comanda.simulation.campaign import Tally

    try:
        return msgspec.json.decode(path.read_bytes(), type=Tally)
    except (OSError, msgspec.DecodeError) as error:
        give_up(f"{path} is no record of a simulation: {error}")


def _read_plan(path: Path) -> "Plan":
    import msgspec

    from comanda.simulation.evening import Plan

    try:
        return msgspec.json.decode(path.read_bytes(), type=Plan)
    except (OSError, msgspec.DecodeError) as error:
        give_up(f"{path} is no plan of an evening: {error}")
