"""The services that Comanda is measured beside: they can run, and they tell what Comanda tells."""

import json
import shutil
import subprocess
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from benchmarks import peers
from benchmarks.node_peer import SERVER
from benchmarks.peers.cart import FIRST_LINE, Cart
from benchmarks.peers.dialect import Peers
from comanda.actors.domain.messages import CartItem, CartUpdated, UpdateItem, encode
from comanda.load import Plan, Seat, Snapshot, Told

SOURCES = sorted(Path(peers.__path__[0]).glob("*.py"))
SEAT = Seat("ws://127.0.0.1:1", "member_0_1")


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_a_python_peer_compiles(source: Path) -> None:
    compile(source.read_text("utf-8"), source.name, "exec")


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node")
def test_nodes_peer_compiles() -> None:
    subprocess.run(["node", "--check", SERVER], check=True, timeout=60)


def test_a_peers_event_has_the_members_of_comandas_in_their_order() -> None:
    item = CartItem("l", 1, "Margherita", Decimal("625.00"), 1, "", "pending", True, "m")
    ours = json.loads(encode(CartUpdated(1, "m", (item,), (), Decimal(625), datetime.now(UTC))))
    theirs = json.loads(Cart().adopt(FIRST_LINE, "m"))
    assert list(theirs) == list(ours)
    assert list(theirs["items"][0]) == list(ours["items"][0])


def test_an_edit_changes_the_peers_cart_only_when_it_is_adopted() -> None:
    cart = Cart()
    line = cart.edited(json.loads(encode(UpdateItem("line-1", qty=3))))
    assert json.loads(cart.snapshot())["total"] == 625.0
    assert json.loads(cart.adopt(line, "m"))["total"] == 1875.0
    assert json.loads(cart.snapshot())["total"] == 1875.0


def test_the_driver_recognises_its_edit_in_what_a_peer_tells() -> None:
    cart, dialect = Cart(), Peers(Plan(server="http://127.0.0.1:1"))
    view = dialect.view(0)
    begun = dialect.read(cart.snapshot().encode())
    assert isinstance(begun, Snapshot)
    view.begin(begun)
    asked = view.edit(SEAT, None)
    told = dialect.read(cart.adopt(cart.edited(json.loads(asked.frame)), SEAT.member).encode())
    assert isinstance(told, Told)
    assert view.told(told) == []
    assert (told.seq, told.by) == (1, SEAT.member)
    assert view.tells(asked, told)


def test_the_driver_notices_a_peers_cart_that_is_not_what_was_told() -> None:
    cart, dialect = Cart(), Peers(Plan(server="http://127.0.0.1:1"))
    view = dialect.view(0)
    begun = dialect.read(cart.snapshot().encode())
    assert isinstance(begun, Snapshot)
    view.begin(begun)
    assert not view.differs(begun)
    cart.adopt({**FIRST_LINE, "qty": 2}, "m")
    later = dialect.read(cart.snapshot().encode())
    assert isinstance(later, Snapshot)
    assert view.differs(later)
