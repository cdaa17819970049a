"""Makes the pictures of docs/evening.md: `make evening`.

Needs Debian's packages chromium, webp and fonts-noto-color-emoji. The pictures are what
`tests/page/test_evening.py` sees on its way: a real server, a real browser.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
PICTURES = ROOT / "docs" / "evening"
TEST = "tests/page/test_evening.py"
QUALITY = "82"
"""Of 100: letters stay sharp, and all pictures together are far below 1.5 MB."""


def main() -> None:
    """Walk through the evening, then replace the pictures.

    Raises:
        CalledProcessError: the walk failed, or a picture could not be packed. No picture is lost.
    """
    cwebp = shutil.which("cwebp")
    if cwebp is None:
        sys.exit("cwebp is not installed; Debian's package is called webp")
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "COMANDA_TEST_SHOTS": folder}
        walk = [sys.executable, "-m", "pytest", "-q", TEST]
        subprocess.run(walk, cwd=ROOT, env=environment, check=True)
        shots = sorted(Path(folder).glob("*.png"))
        if not shots:
            sys.exit("The walk was skipped: there are no pictures")
        packed = Path(folder) / "packed"
        packed.mkdir()
        for shot in shots:
            picture = packed / f"{shot.stem}.webp"
            command = [cwebp, "-quiet", "-q", QUALITY, str(shot), "-o", str(picture)]
            subprocess.run(command, check=True)
        shutil.rmtree(PICTURES, ignore_errors=True)
        shutil.copytree(packed, PICTURES)
    size = sum(picture.stat().st_size for picture in PICTURES.iterdir())
    print(f"{len(shots)} pictures, {size // 1000} kB, in {PICTURES.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
