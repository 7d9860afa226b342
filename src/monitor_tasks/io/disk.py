"""Writing on local disk: whole or not at all, and still there after a power cut. obstore does not sync."""

import errno
import os
import secrets
import shutil
from pathlib import Path

from monitor_tasks.io.content import CHUNK, Content


def write_whole(path: Path, content: Content, new: bool) -> None:
    """Writes the file aside as ``name#number``, which obstore hides, and gives it its name when it is on the disk.

    Raises:
        FileExistsError: it should be `new`, and something is there.
        OSError: the disk said so; nothing is left behind.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from error
    if new and path.exists():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
    aside = path.with_name(f"{path.name}#{secrets.randbits(32)}")
    try:
        with aside.open("xb") as file:
            if isinstance(content, bytes):
                file.write(content)
            else:
                content.seek(0)
                shutil.copyfileobj(content, file, CHUNK)
            file.flush()
            os.fsync(file.fileno())
        if new:
            os.link(aside, path)
        else:
            aside.replace(path)
        _sync(path.parent)
    finally:
        aside.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    """Makes the folder's names as lasting as what they name."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
