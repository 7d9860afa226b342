"""Work on several items at once, whose outcomes come in the items' order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Found = TypeVar("Found")

THREADS = 2


def ahead(work: Callable[[Item], Found], items: Iterable[Item]) -> Iterator[Found]:
    """What `work` makes of each item, in their order; `THREADS` are worked on at once, and one more is fetched.

    Which outcomes are there when an item is fetched does not depend on the threads' haste: all but the last `THREADS`.

    >>> list(ahead(str.upper, "abc"))
    ['A', 'B', 'C']
    """
    waiting = deque[Future[Found]]()
    with ThreadPoolExecutor(THREADS) as threads:
        for item in items:
            waiting.append(threads.submit(work, item))
            if len(waiting) > THREADS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
