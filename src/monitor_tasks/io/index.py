"""The index of an endpoint: its shards, one a day, and marks of the executions that no shard holds yet.

A mark is written before an execution gets its number, and taken away when a shard holds that number: whoever is killed
between leaves a mark too many, never one too few. A shard is never changed: the next one of its day has a higher
number, and only one writer can create it, who has seen the one before.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from monitor_tasks.io.store import Entry, Missing, Store

BEGUN = "begun"
CHANGED = "changed"
DAYS = "days"


class Mark(NamedTuple):
    """An execution that gets, or has got, a number in its window's folder."""

    place: str
    """The window's folder below that of its schedule."""
    schedule: str
    number: int

    @property
    def name(self) -> str:
        """Its file's name."""
        return f"{self.place.replace('/', '-')}.{self.schedule}.{self.number:06d}"

    @classmethod
    def read(cls, name: str) -> "Mark":
        """The mark of a file's name."""
        place, schedule, number = name.split(".")
        step = place.startswith("spans-")
        return cls(place.replace("-", "/", 1 if step else 3), schedule, int(number))


class Looked(NamedTuple):
    """What the index held at one moment."""

    begun: bool
    """Whether all that was there before marks were written is in shards."""
    shards: Mapping[str, Entry]
    """The newest shard by day."""
    former: Mapping[str, Sequence[str]]
    """The keys of the shards that were replaced, by day."""
    marks: Sequence[Mark] = ()


class Index:
    """The shards and marks of one endpoint."""

    def __init__(self, store: Store, owner: str) -> None:
        """Those of `owner`, an endpoint's name."""
        self.store, self.folder = store, f"{owner}/index"

    def look(self, since: str = "") -> Looked:
        """What the index holds: first its marks, so that the shards hold at least what is not marked.

        Of the shards those of the day `since` and later ones.
        """
        marks = [Mark.read(one.key.rpartition("/")[2]) for one in self.store.entries(f"{self.folder}/{CHANGED}")]
        return self.shards(since)._replace(marks=marks)

    def shards(self, since: str = "") -> Looked:
        """Its shards alone, from a day on."""
        begun, found = False, dict[str, list[Entry]]()
        folder = f"{self.folder}/{DAYS}"
        for entry in self.store.entries(folder, f"{folder}/{since}" if since else ""):
            if day := day_of(entry.key):
                found.setdefault(day, []).append(entry)
            begun = begun or not day
        ordered = {day: sorted(entries, key=lambda one: number_of(one.key)) for day, entries in found.items()}
        former = {day: [one.key for one in entries[:-1]] for day, entries in ordered.items()}
        return Looked(begun, {day: entries[-1] for day, entries in ordered.items()}, former)

    def get(self, key: str) -> bytes | None:
        """A shard's file; None where a newer one has taken its place."""
        try:
            return self.store.get(key)
        except Missing:
            return None

    def create(self, day: str, former: str, content: bytes) -> str:
        """Writes the day's next shard; `former` is the key of the one that was seen, or empty.

        Raises:
            Exists: another writer was first.
        """
        key = f"{self.folder}/{DAYS}/{day}.{number_of(former) + 1:06d}.jsonl"
        self.store.create(key, content)
        return key

    def settle(self, marks: Iterable[Mark], former: Iterable[str]) -> None:
        """Takes away the marks of what a shard holds, and the shards that were replaced."""
        for key in (*(f"{self.folder}/{CHANGED}/{one.name}" for one in marks), *former):
            self.store.delete(key)

    def begin(self) -> None:
        """Notes that all that was there before marks were written is in shards."""
        self.store.put(f"{self.folder}/{DAYS}/{BEGUN}", b"")


def day_of(key: str) -> str:
    """The day of a shard's key; empty of what is none."""
    return key.rpartition("/")[2].partition(".")[0] if key.endswith(".jsonl") else ""


def number_of(key: str) -> int:
    """Which of its day's shards it is; 0 of none."""
    return int(key.split(".")[-2]) if key else 0


def note_change(store: Store, folder: str, number: int) -> None:
    """Leaves a mark that an execution in a window's folder is about to get a number; other folders need none."""
    owner, _, rest = folder.partition("/")
    schedule, _, place = rest.partition("/")
    if place.startswith("spans/") or place.count("/") == 3:
        store.put(f"{owner}/index/{CHANGED}/{Mark(place, schedule, number).name}", b"")
