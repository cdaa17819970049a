"""`comanda demo`: the whole story once as a process, and once interrupted; its checks on what is wrong."""

import os
import re
import subprocess
from decimal import Decimal
from pathlib import Path

import pytest
import trio
from rich.console import Console

from comanda.actors.domain.messages import Ack
from comanda.cli.demo import _verdict
from comanda.cli.demo_checks import Check, check_table
from comanda.cli.demo_server import Broken, demo_server, seed_for
from comanda.cli.demo_story import Story
from comanda.cli.demo_table import Ledger, Seen, together
from comanda.pos.dummy import accepts

from .helpers import COMANDA, PATIENCE_SECONDS, clean_environment, on_a_terminal, run

THE_STORY = (
    r"Server  takes orders at http://127\.0\.0\.1:\d+ \(pid (?P<first>\d+)\)",
    r"sits down at table T1",
    r"All     change the arancini at the same moment, to 2, 3 and 4",
    r"All     see the same cart: the last one counts, [234] × Arancini",
    r"Ana     places the order: ORD-7-1, \d+\.\d\d INR",
    r"All     are locked: “Order Being Processed by Ana”",
    r"Ben     adds a lemonade; his phone: “Order already being processed”",
    r"Ben     sends it anyway; the server: “Order already being processed”",
    r"POS     refuses ORD-7-1: POS system unavailable",
    r"Ana     waits: her phone tries again after 2 s",
    r"Ana     has ordered again, untouched: ORD-7-2",
    r"Server  is killed in the middle of it \(SIGKILL, pid (?P=first)\)",
    r"All     “Connection lost\. Reconnecting\.\.\.”",
    r"Server  is started again, same file \(pid (?P<second>\d+)\)",
    r"All     are back by themselves; the table is still there",
    r"All     are still locked: ORD-7-2 is on its way",
    r"POS     accepts ORD-7-2, its reference: POS-2",
    r"All     “Order placed successfully! 🎉”",
    r"Server  is asked to stop \(SIGTERM\), and ends with exit code 0",
    r"✓ Every phone and the server have the same cart and seq",
    r"✓ All 10 acknowledged edits were there after the kill",
    r"✓ The history has exactly one confirmed order, with the right lines and total",
    r"✓ Another's edit was refused, .*“Order already being processed”",
    r"✓ The SQLite file is sound",
    r"✓ No order is twice in the journal: ORD-7-1 rejected, ORD-7-2 confirmed",
    r"✓ The POS was asked twice under one key",
    r"All 7 checks hold",
)


def is_running(pid: int) -> bool:
    """Whether there is such a process, not counting one that nobody has waited for yet."""
    state = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout
    return bool(state.strip()) and not state.startswith("Z")


def test_in_a_pipe_it_tells_the_story_in_order_checks_it_and_leaves_nothing(
    tmp_path: Path,
) -> None:
    picture = tmp_path / "demo.svg"
    done = run("demo", "--plain", "--svg", str(picture), TMPDIR=str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    told = re.search(".*?".join(THE_STORY), done.stdout, re.DOTALL)
    assert told is not None, done.stdout
    assert "✗" not in done.stdout
    assert "\x1b" not in done.stdout
    assert all(len(line) <= 100 for line in done.stdout.splitlines())
    for who in ("Ana", "Ben", "Chloe"):
        assert re.search(rf"{who} +adds \d", done.stdout)
    assert "ORD-7-2" in picture.read_text("utf-8")
    assert os.listdir(tmp_path) == ["demo.svg"]
    assert not is_running(int(told["first"]))
    assert not is_running(int(told["second"]))


def test_on_a_terminal_ctrl_c_ends_it_with_130_and_no_server_stays(tmp_path: Path) -> None:
    with on_a_terminal("demo", "--keep", str(tmp_path / "kept"), columns=80, rows=24) as demo:
        at = demo.wait_for(r"\(pid (\d+)\)")
        for name in ("Ana", "Ben", "Chloe"):
            demo.wait_for(f"{name} · T1")
        demo.wait_for("Place Order", at)
        demo.type("\x03")
        assert demo.wait_for_end() == 130
    assert "Traceback" not in demo.seen
    assert demo.seen.count("\x1b[?1049h") == demo.seen.count("\x1b[?1049l") == 1
    pid = re.search(r"\(pid (\d+)\)", demo.seen)
    assert pid is not None
    assert not is_running(int(pid[1]))
    assert (tmp_path / "kept" / "comanda-demo.db").exists()


def test_a_reader_that_leaves_ends_it_without_a_word_and_no_server_stays(tmp_path: Path) -> None:
    with subprocess.Popen(
        [*COMANDA, "demo"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        env=clean_environment(TMPDIR=str(tmp_path)),
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        pid = re.search(r"\(pid (\d+)\)", process.stdout.readline())
        process.stdout.close()
        assert process.wait(PATIENCE_SECONDS) == 1
        assert process.stderr.read() == ""
    assert pid is not None
    assert not is_running(int(pid[1]))
    assert os.listdir(tmp_path) == []


def test_a_folder_that_holds_a_kept_database_is_not_used_again(tmp_path: Path) -> None:
    (tmp_path / "comanda-demo.db").touch()
    done = run("demo", "--plain", "--keep", str(tmp_path))
    assert done.returncode == 2
    assert done.stderr.startswith("comanda: ")
    assert "is already there" in done.stderr


def test_the_seed_lets_the_pos_refuse_one_order_and_accept_the_next() -> None:
    seed = seed_for("ORD-7-1", "ORD-7-2")
    assert not accepts(seed, "ORD-7-1", 0.9)
    assert accepts(seed, "ORD-7-2", 0.9)


def test_the_last_acknowledged_change_of_a_line_counts_in_whatever_order_acks_come() -> None:
    ledger = Ledger()
    ledger.line_is(Ack("b", 7), ("x", 1, 3, ""))
    ledger.line_is(Ack("a", 6), ("x", 1, 2, ""))
    ledger.line_is(Ack("c", 8), ("y", 1, 1, ""))
    ledger.line_gone(Ack("d", 9), "y")
    assert ledger.cart() == {("x", 1, 3, "")}


def a_finished_story() -> Story:
    """As if all had gone well; each test spoils one thing."""
    story = Story.__new__(Story)
    story.ledger = Ledger()
    story.ledger.line_is(Ack("a", 2), ("x", 456, 2, ""))
    story.ordered = story.ledger.cart()
    story.due = Decimal(1250)
    story.refusals = ["Order already being processed"] * 2
    story.after_the_kill = [Seen(story.ordered, 9, "ORD-7-2")] * 3
    story.at_the_end = [Seen(frozenset(), 12, None)] * 4
    story.histories = []
    return story


def wrong(story: Story) -> list[str]:
    return [check.sentence.split()[0] for check in check_table(story) if not check.holds]


def test_a_lost_edit_a_late_phone_and_an_accepted_edit_are_each_found() -> None:
    story = a_finished_story()
    story.histories = []
    assert wrong(story) == ["The"]  # the history: there is none
    story.after_the_kill[1] = Seen(frozenset(), 9, "ORD-7-2")
    assert wrong(story) == ["All", "The"]
    story.at_the_end[3] = Seen(frozenset(), 11, None)
    assert wrong(story) == ["Every", "All", "The"]
    story.refusals.pop()
    assert wrong(story) == ["Every", "All", "The", "Another's"]


def test_what_went_wrong_is_shown_with_what_there_was_and_gives_exit_code_1(
    capsys: pytest.CaptureFixture[str],
) -> None:
    good, bad = Check("The sun shines", True, ""), Check("It rains", False, "snow")
    assert _verdict(Console(), [good], None, 1.0) == 0
    assert _verdict(Console(), [good, bad], None, 1.0) == 1
    assert _verdict(Console(), [], Broken("a locked cart", "an open one"), 1.0) == 1
    said = capsys.readouterr().out
    assert "✗ It rains\n  found: snow" in said
    assert "✗ a locked cart\n  found: an open one" in said


async def test_what_breaks_among_several_at_once_comes_out_by_itself() -> None:
    async def breaks() -> None:
        raise Broken("this", "that")

    with pytest.raises(Broken, match="expected: this; found: that"):
        await together(breaks, trio.sleep_forever)


async def test_a_server_that_cannot_start_is_told_with_its_last_words(tmp_path: Path) -> None:
    (tmp_path / "comanda-demo.db").write_text("This is no database. " * 200)
    async with demo_server(tmp_path, 3.0, 0) as server:
        with pytest.raises(Broken, match="is not a database"):
            await server.start()
    assert not is_running(server.pid)
