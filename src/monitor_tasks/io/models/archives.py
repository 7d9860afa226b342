"""SageMaker's model.tar.gz: one file is taken out of it by its name; nothing is unpacked to disk."""

import tarfile
import zlib
from tempfile import TemporaryFile

from monitor_tasks.io.store import Credentials, open_object
from monitor_tasks.value import UserError

LARGEST = 8 << 30
"""Bytes that a model may unfold to."""


def member(address: str, name: str, credentials: Credentials | None = None) -> bytes:
    """One file of an archive.

    Raises:
        Missing, Refused, Unreachable: the archive cannot be had.
        UserError: it is none, or holds no such file.
    """
    store, key = open_object(address, credentials)
    with TemporaryFile() as file:
        file.writelines(store.chunks(key))
        file.seek(0)
        try:
            with tarfile.open(fileobj=file, mode="r:gz") as archive:
                found = {one.name.removeprefix("./"): one for one in archive if one.isfile() and one.size <= LARGEST}
                content = archive.extractfile(found[name]) if name in found else None
                if content is not None:
                    return content.read()
        except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
            raise UserError(f"{address}: is no archive that can be read: {error}; run the training again") from error
    there = ", ".join(sorted(found)[:10]) or "nothing"
    raise UserError(f"{address}: holds no file {name}, but {there}; correct retraining.training_job.model_file")
