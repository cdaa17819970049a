"""Tables' QR codes as SVG: what is printed and put on the tables."""

import functools
import io

import segno
import trio

from comanda.actors.domain.menu import Restaurant
from comanda.actors.domain.messages import QrCode, QrCodeList

from .addresses import is_reachable

CODES_KEPT = 2_000
"""Pictures in memory, of 2 kB each: a code takes some milliseconds to make."""

_CORRECTION = "q"
"""A quarter of the picture may be stained or scratched."""

_QUIET_MODULES = 4
"""The white border that the standard asks for."""


async def qr_code_list(
    restaurant: Restaurant, address: str, addresses: tuple[str, ...]
) -> QrCodeList:
    """The codes of all tables, each leading to the table's page under `address`.

    A checkpoint after each code, so that a hall full of tables holds nobody up.
    """
    codes = []
    for table in restaurant.tables:
        link = f"{address}/t/{table.code}"
        codes.append(QrCode(table.code, table.label, link, qr_svg(link)))
        await trio.lowlevel.checkpoint()
    return QrCodeList(address, addresses, is_reachable(address), tuple(codes))


@functools.lru_cache(CODES_KEPT)
def qr_svg(link: str) -> str:
    """A QR code as an SVG document of no fixed size, dark on white in any colour scheme."""
    picture = io.BytesIO()
    segno.make(link, error=_CORRECTION, micro=False).save(
        picture, kind="svg", xmldecl=False, omitsize=True, border=_QUIET_MODULES, light="#fff"
    )
    return picture.getvalue().decode()
