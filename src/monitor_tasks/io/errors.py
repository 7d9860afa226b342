"""The four things that can go wrong at an address, and what obstore and the disk say as one of them."""

import errno
import re

from obstore import exceptions as theirs

from monitor_tasks.value import UserError


class StoreError(UserError):
    """Something about an address; the message names it."""


class Missing(StoreError):
    """There is nothing at the address."""


class Exists(StoreError):
    """Something else lies at the address already."""


class Refused(StoreError):
    """The address may not be read or written by us."""


class Unreachable(StoreError):
    """The store behind the address does not answer as it should."""


OURS = (theirs.BaseError, OSError, ValueError)
"""Whatever obstore or the disk raises."""

_CODE = re.compile(r"(?:os error|status code:) (\d+)")
_WORD = re.compile(r"<Code>(\w+)</Code>")
_STATUS = re.compile(r"status code: (\d+ [A-Za-z ]+)")
_NO_KEYS = "/latest/api/token"
_NOTHING = (Missing, "nothing is there; check the address")
_RIGHTS = (Refused, "access was refused ({}); check rights or credentials")
_FULL = (Unreachable, "the disk is full ({}); free some space and run again")
_BUCKET = (Missing, "there is no such bucket ({}); check its name, its region and the endpoint")
_WORDS: dict[str, tuple[type[StoreError], str]] = {
    "NoSuchBucket": _BUCKET,
    "SignatureDoesNotMatch": (Refused, "the secret does not fit the access key ({}); check the credentials"),
    "InvalidAccessKeyId": (Refused, "nobody has that access key ({}); check the credentials and the endpoint"),
    "ExpiredToken": (Refused, "the credentials have expired ({}); renew them"),
    "RequestTimeTooSkewed": (Refused, "this machine's clock is not the server's ({}); set it right, as by NTP"),
    "InvalidToken": (Refused, "the session token is wrong ({}); renew the credentials"),
    _NO_KEYS: (
        Refused,
        "no credentials were found; name an Airflow connection, or set AWS_ACCESS_KEY_ID and its secret",
    ),
}
"""What S3 says in its own words; those that are missing here are told by their number."""
_MEANING: dict[int, tuple[type[StoreError], str]] = {
    errno.ENOENT: _NOTHING,
    errno.ENOTDIR: (Missing, "a file lies where one of its folders should be; check the address"),
    errno.EISDIR: (Refused, "a folder lies where the file should be; check the address"),
    errno.EEXIST: (Exists, "something else is there already; it is never overwritten"),
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    errno.EROFS: _RIGHTS,
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    401: _RIGHTS,
    403: _RIGHTS,
    404: _NOTHING,
    412: (Unreachable, "it was changed while it was being read; run again"),
    507: _FULL,
}
_TYPES: tuple[tuple[tuple[type[Exception], ...], int], ...] = (
    ((FileNotFoundError,), errno.ENOENT),
    ((theirs.AlreadyExistsError,), errno.EEXIST),
    ((theirs.PreconditionError,), 412),
    ((theirs.PermissionDeniedError, theirs.UnauthenticatedError), errno.EACCES),
)


def as_ours(where: str, error: Exception) -> StoreError:
    """What was said of the address, as one of our four errors.

    >>> as_ours("/folder/a", OSError(28, "No space left on device"))
    Unreachable('/folder/a: the disk is full (No space left on device); free some space and run again')
    """
    text = getattr(error, "strerror", None) or str(error)
    line = (text.strip().splitlines() or [type(error).__name__])[0]
    word = _NO_KEYS if _NO_KEYS in line else next(iter(_WORD.findall(text)), "")
    known = _WORDS.get(word) or _MEANING.get(_code(error), (Unreachable, "{}; check the address and try again"))
    status = _STATUS.search(line)
    return known[0](f"{where}: {known[1].format(word or (status and status[1].strip()) or line)}")


def _code(error: Exception) -> int:
    """The number that tells errors apart: the system's or HTTP's; obstore has both in its text only."""
    number = getattr(error, "errno", None)
    found = _CODE.search(str(error))
    return number or next((code for types, code in _TYPES if isinstance(error, types)), int(found[1]) if found else 0)
