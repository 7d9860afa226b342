"""What a store shows that is not whole: the test of every test that kills, fills or forbids."""

import json
from io import BytesIO

import pyarrow.parquet

from monitor_tasks.io.executions import MANIFEST, digest, read_artifact, read_manifest
from monitor_tasks.io.store import Store
from monitor_tasks.value import UserError

UNPROVEN = ("/revisions/", "/pins/", "/episodes/", "/alerts/", "/labels/settled/", "/models/")
"""Where objects stand for themselves: logs, records, messages, and what no manifest has committed yet."""


def torn(store: Store) -> list[str]:
    """What is visible through the store and is not whole, with the reason; empty where nothing is half-written."""
    seen = {entry.key: store.get(entry.key) for entry in store.entries()}
    found, proven = list[str](), set[str]()
    for key in (key for key in seen if key.endswith(f"/{MANIFEST}")):
        try:
            artifacts = read_manifest(store, key).artifacts
            proven |= {digest(read_artifact(store, key, name)) for name in artifacts}
        except UserError as error:
            found.append(str(error))
    for key, content in seen.items():
        if not any(part in key for part in UNPROVEN) and digest(content) not in proven:
            found.append(f"{key}: shown, and in no manifest")
        if not _parses(key, content):
            found.append(f"{key}: does not parse")
    return found


def _parses(key: str, content: bytes) -> bool:
    try:
        if key.endswith(".parquet"):
            pyarrow.parquet.read_table(BytesIO(content))
        elif key.endswith(".json"):
            json.loads(content)
        elif key.endswith(".jsonl"):
            [json.loads(line) for line in content.splitlines()]
    except ValueError:
        return False
    return True
