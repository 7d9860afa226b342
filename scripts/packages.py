"""What is in the lock: every package with its scope and licence, as a page, and as a CycloneDX bill of materials.

``python -m scripts.packages`` writes the bill to ``build/sbom.cdx.json``: the same lock, the same bytes.
"""

import json
import sys
import tomllib
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple
from uuid import NAMESPACE_URL, uuid5

ROOT = Path(__file__).parents[1]
BILL = ROOT / "build/sbom.cdx.json"
SCOPES = {"required": "always", "optional": "an extra", "excluded": "a team's topology, or the tests"}

# What a package says in its own words, as SPDX has it; "BSD" where it does not say which.
SPDX = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache License v2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD 2-Clause License": "BSD-2-Clause",
    "BSD License": "BSD",
    "ISC License": "ISC",
    "ISC License (ISCL)": "ISC",
    "MIT -or- Apache License 2.0": "MIT OR Apache-2.0",
    "MIT License": "MIT",
    "MIT license": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "New BSD": "BSD-3-Clause",
    "PSFL": "PSF-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
}
# Packages whose metadata says it in a way that no table could read, and those that not every machine installs.
SAID = {
    "async-timeout": "Apache-2.0",
    "httpx2-jsfetch": "BSD-3-Clause",
    "llvmlite": "BSD-2-Clause AND Apache-2.0 WITH LLVM-exception",
    "numba": "BSD",
    "nvidia-nccl-cu12": "NVIDIA's terms",
    "nvidia-nccl-cu13": "NVIDIA's terms",
    "psycopg2-binary": "LGPL-3.0-or-later WITH openssl-exception",
    "python-dateutil": "Apache-2.0 OR BSD-3-Clause",
    "pywin32": "PSF-2.0",
    "pyyaml-ft": "MIT",
    "skops": "MIT",
    "text-unidecode": "Artistic-1.0 OR GPL-2.0-or-later",
    "xgboost": "Apache-2.0",
}
UNKNOWN = ("BSD", "NVIDIA's terms")
"""What is no licence of SPDX's list."""


class Package(NamedTuple):
    """One package of the lock."""

    name: str
    version: str
    scope: str
    licence: str
    files: tuple[tuple[str, str], ...]
    """The address and sha256 of its source, or of every wheel where there is none."""
    needs: tuple[str, ...]
    """The keys of what it needs."""

    @property
    def key(self) -> str:
        """Its package URL, which tells it from all others."""
        return f"pkg:pypi/{self.name}@{self.version}"


def locked() -> dict[str, Any]:
    """The lock."""
    return tomllib.loads((ROOT / "uv.lock").read_text())


def packages() -> list[Package]:
    """Every package of the lock but our own, by name and version."""
    found = [one for one in locked()["package"] if "registry" in one["source"]]
    ours = _ours()
    keys: dict[str, list[str]] = {}
    for one in found:
        keys.setdefault(one["name"], []).append(f"pkg:pypi/{one['name']}@{one['version']}")
    wanted = {
        "required": _reached(found, ours["dependencies"]),
        "optional": _reached(found, _all(ours.get("optional-dependencies", {}))),
    }
    return sorted(
        Package(
            one["name"],
            one["version"],
            next((scope for scope, names in wanted.items() if one["name"] in names), "excluded"),
            licence(one["name"]),
            tuple((file["url"], file["hash"].partition(":")[2]) for file in _files(one)),
            tuple(sorted({key for need in _needs(one) for key in keys[need]})),
        )
        for one in found
    )


def licence(name: str) -> str:
    """What a package may be used by, as SPDX has it; empty where nobody knows."""
    if name in SAID:
        return SAID[name]
    try:
        told = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return ""
    classified = [one.rpartition(" :: ")[2] for one in told.get_all("Classifier") or [] if one.startswith("License")]
    free = [text] if len(text := told.get("License") or "") < 40 and text not in ("", "UNKNOWN") else []
    words = told.get("License-Expression") or next(iter([*free, *classified]), "")
    better = " OR ".join(SPDX.get(one, one) for one in classified)
    return better if (first := SPDX.get(words, words)) == "BSD" and better else first


def page() -> str:
    """The page of all licences."""
    found = {one.name: one for one in packages()}
    scopes = "\n".join(f"- {scope}: {what}" for scope, what in SCOPES.items())
    lines = "\n".join(f"| `{one.name}` | {one.scope} | {one.licence} |" for one in found.values())
    return f"""# Licences

The licence of every package in `uv.lock`, as the package itself tells it; `make sbom` writes them with versions and
hashes as a CycloneDX bill of materials. `tests/test_supply.py` fails on a licence that nobody has allowed. This page is
written by `python -m tests.documents`.

Who needs a package:

{scopes}

| package | scope | licence |
|---|---|---|
{lines}
"""


def bill(found: Iterable[Package]) -> str:
    """The packages as a CycloneDX 1.6 bill of materials in JSON, without a time: it is a function of the lock."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    known = sorted(found)
    named = {one["name"] for one in _ours()["dependencies"]}
    ours = {"type": "application", "bom-ref": project["name"], "name": project["name"], "version": project["version"]}
    needs = {project["name"]: [one.key for one in known if one.name in named], **{one.key: one.needs for one in known}}
    told = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": uuid5(NAMESPACE_URL, json.dumps(known)).urn,
        "version": 1,
        "metadata": {"component": {**ours, "licenses": _licences(project["license"])}},
        "components": [_component(one) for one in known],
        "dependencies": [{"ref": key, "dependsOn": list(keys)} for key, keys in needs.items()],
    }
    return json.dumps(told, indent=2) + "\n"


def _component(one: Package) -> dict[str, Any]:
    return {
        "type": "library",
        "bom-ref": one.key,
        "name": one.name,
        "version": one.version,
        "scope": one.scope,
        "purl": one.key,
        "licenses": _licences(one.licence),
        "externalReferences": [
            {"type": "distribution", "url": url, "hashes": [{"alg": "SHA-256", "content": sha256}]}
            for url, sha256 in one.files
        ],
    }


def _licences(text: str) -> list[dict[str, Any]]:
    """A licence as CycloneDX has it: one of SPDX's, an expression of several, or a name that SPDX does not know."""
    if text in UNKNOWN:
        return [{"license": {"name": text}}]
    return [{"expression": text}] if " " in text else [{"license": {"id": text}}]


def _ours() -> Mapping[str, Any]:
    (ours,) = (one for one in locked()["package"] if "editable" in one["source"])
    return ours


def _files(package: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [package["sdist"]] if "sdist" in package else package["wheels"]


def _all(groups: Mapping[str, list[Any]]) -> list[Any]:
    return [one for group in groups.values() for one in group]


def _needs(package: Mapping[str, Any]) -> list[str]:
    return [one["name"] for one in (*package.get("dependencies", []), *_all(package.get("optional-dependencies", {})))]


def _reached(found: Iterable[Mapping[str, Any]], start: Iterable[Mapping[str, Any]]) -> set[str]:
    """The names of all that the packages need that one starts from, and of these themselves."""
    needs: dict[str, set[str]] = {}
    for one in found:
        needs.setdefault(one["name"], set()).update(_needs(one))
    reached: set[str] = set()
    waiting = {one["name"] for one in start}
    while waiting:
        reached |= waiting
        waiting = {name for one in waiting for name in needs[one]} - reached
    return reached


if __name__ == "__main__":
    BILL.parent.mkdir(exist_ok=True)
    found = packages()
    BILL.write_text(bill(found))
    sys.stdout.write(f"{len(found)} packages -> {BILL.relative_to(ROOT)}\n")
