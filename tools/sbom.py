"""`make sbom`: what a release is made of, as CycloneDX 1.6 in JSON, held against its schema.

    python tools/sbom.py LOCK PACKAGES_TOML SBOM

The lock has the Python packages, the list beside the page's libraries those from npm: the wheel carries
both. Run in the environment of supply/requirements.lock. The same lock, list and version make the same bytes.
"""

import base64
import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

Component = dict[str, Any]


def main(lock: Path, vendored: Path, written: Path) -> None:
    """Write the document; fails where it is not valid."""
    bom = python_packages(lock)
    for one in bom["components"]:
        del one["description"]  # The lock's line, which the references have again.
    bom["components"] += page_libraries(vendored)
    # The lock does not say which package wants which: all are Comanda's, directly or not.
    root = bom["metadata"]["component"]["bom-ref"]
    refs = sorted(one["bom-ref"] for one in bom["components"])
    bom["dependencies"] = [{"ref": root, "dependsOn": refs}, *({"ref": ref} for ref in refs)]
    text = json.dumps(bom, indent=2, sort_keys=True) + "\n"
    wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if wrong is not None:
        sys.exit(f"The SBOM is not valid: {wrong}")
    written.write_text(text, "utf-8")
    print(f"{written}: {len(bom['components'])} components, valid CycloneDX 1.6")


def python_packages(lock: Path) -> Any:
    """cyclonedx-py's document of a lock."""
    command = [sys.executable, "-W", "ignore", "-m", "cyclonedx_py", "requirements", str(lock)]
    options = ["--pyproject", "pyproject.toml", "--sv", "1.6", "--output-reproducible", "-o", "-"]
    done = subprocess.run([*command, *options], capture_output=True, check=False)
    if done.returncode != 0:
        sys.exit(done.stderr.decode())
    return json.loads(done.stdout)


def page_libraries(listed: Path) -> list[Component]:
    """The npm packages that the guests' and the staff's page load."""
    return [npm_component(one) for one in tomllib.loads(listed.read_text("utf-8"))["packages"]]


def npm_component(package: dict[str, Any]) -> Component:
    """One of them; its hash is that of the registry's package."""
    name, version = package["name"], package["version"]
    scope, _, bare = name.rpartition("/")
    component: Component = {
        "type": "library",
        "bom-ref": f"npm-{name}",
        "name": bare,
        "version": version,
        "purl": f"pkg:npm/{quote(name)}@{version}",
        "hashes": [{"alg": "SHA-512", "content": _hex(package["integrity"])}],
        "licenses": [{"license": {"name": package["licence"]}}],
    }
    return {**component, "group": scope} if scope else component


def _hex(integrity: str) -> str:
    return base64.b64decode(integrity.removeprefix("sha512-")).hex()


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:4]))
