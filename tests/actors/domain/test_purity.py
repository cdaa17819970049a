import subprocess
import sys

IMPORT_AND_LOOK = """
import sys
import comanda.actors.domain.decide
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


def test_the_domain_loads_neither_an_event_loop_nor_a_database_nor_a_web_framework() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", IMPORT_AND_LOOK], capture_output=True, text=True, check=True
    )
    loaded = set(ran.stdout.split())
    assert {"comanda", "msgspec"} <= loaded
    assert not loaded & {
        "trio",
        "asyncio",
        "sqlalchemy",
        "aiosqlite",
        "quart",
        "hypercorn",
        "httpx",
    }
