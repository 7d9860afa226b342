"""Content of an object: bytes, or an open file that is never held in memory whole."""

import hashlib
import mmap
import os
from collections.abc import Iterable
from typing import BinaryIO

Content = bytes | BinaryIO
"""What an object is written from; a file lies on disk or in memory, is read from its beginning, and asks no store."""

CHUNK = 8 * 1024 * 1024
"""How much of an object is in memory at once."""


def digest(content: Content) -> str:
    """The sha256 of the content as hexadecimal text."""
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    content.seek(0)
    return hashlib.file_digest(content, "sha256").hexdigest()  # type: ignore[arg-type]  # every binary file will do


def digest_of(pieces: Iterable[bytes]) -> str:
    """The sha256 of what the pieces are together."""
    found = hashlib.sha256()
    for piece in pieces:
        found.update(piece)
    return found.hexdigest()


def size_of(content: Content) -> int:
    """How many bytes it is."""
    return len(content) if isinstance(content, bytes) else content.seek(0, os.SEEK_END)


def as_buffer(content: Content) -> bytes | mmap.mmap:
    """The content as one piece of memory; of a file on disk the system holds only the pages that are being read."""
    if isinstance(content, bytes):
        return content
    content.seek(0)
    try:
        return mmap.mmap(content.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError):  # no file of the system's, or an empty one
        return content.read()
