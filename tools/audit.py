"""`make audit`: are there known weaknesses in what the locks name? Where nobody could look, that is no pass.

    python tools/audit.py PIP_AUDIT LOCK…

pip-audit says "no known vulnerabilities" and ends with 0 also where its database was not reached or is a
mirror without advisories. So a version whose weakness everybody knows is asked for first, and whatever was
left out counts. Ends with 0 when everything was looked up and nothing is known, 1 when something is, 3 when
it cannot be said.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

KNOWN = "jinja2==2.10"
"""CVE-2019-10906, since 2019: a database that does not have it has none."""

FOUND, NOT_SAID = 1, 3
ASKING_SECONDS = 600
"""One question to the database for each of some hundred packages, over a slow line."""


class NotAudited(Exception):
    """Nothing can be said; the text has why."""


def main(pip_audit: str, locks: list[str]) -> int:
    """Audit each lock; the exit code."""
    found: list[str] = []
    try:
        with tempfile.TemporaryDirectory(prefix="audit-") as folder:
            known = Path(folder) / "known.txt"
            known.write_text(f"{KNOWN}\n")
            if not weaknesses(pip_audit, str(known), "--no-deps"):
                raise NotAudited(f"the database does not know the weakness of {KNOWN}")
        for lock in locks:
            found += weaknesses(pip_audit, lock, "--require-hashes")
    except NotAudited as error:
        print(f"NOT AUDITED: {error}", file=sys.stderr)
        return NOT_SAID
    if found:
        print("\n".join(sorted(set(found))))
        return FOUND
    print(f"Nothing is known against what {', '.join(locks)} name")
    return 0


def weaknesses(pip_audit: str, lock: str, option: str) -> list[str]:
    """What is known against a lock's packages, a line each.

    Raises:
        NotAudited: the database was not reached, or a package was left out.
    """
    command = [pip_audit, "--disable-pip", option, "--progress-spinner", "off", "-f", "json"]
    try:
        done = subprocess.run(
            [*command, "-r", lock],
            capture_output=True,
            encoding="utf-8",
            timeout=ASKING_SECONDS,
            check=False,
        )
        dependencies: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except subprocess.TimeoutExpired:
        raise NotAudited(f"no answer in {ASKING_SECONDS} seconds") from None
    except (ValueError, KeyError):
        last = (done.stderr.strip().splitlines() or ["pip-audit said nothing"])[-1]
        raise NotAudited(last) from None
    left_out = [one["skip_reason"] for one in dependencies if "skip_reason" in one]
    if left_out:
        raise NotAudited(
            f"{len(left_out)} of {len(dependencies)} packages of {lock}: {left_out[0]}"
        )
    return [
        f"{one['name']} {one['version']}: {', '.join([weak['id'], *weak.get('aliases', [])])}"
        for one in dependencies
        for weak in one["vulns"]
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
