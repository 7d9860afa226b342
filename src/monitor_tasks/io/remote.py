"""Object stores over the network: how they are opened, and how often they are asked. Credentials come from callers."""

import os
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, TypeVar

from obstore import exceptions as theirs
from obstore.store import from_url
from tenacity import Retrying, retry_if_exception, stop_after_attempt, stop_after_delay, wait_random_exponential

from monitor_tasks.io.errors import OURS, Unreachable

T = TypeVar("T")

Provider = Callable[[], Any]
"""Gives credentials that expire, again and again: a credential provider of obstore, such as one around a session."""

Credentials = Mapping[str, str | Provider]
"""What opens an address: obstore's names of keys, region and endpoint; or ``credential_provider`` in place of keys."""

TIMEOUT = timedelta(minutes=1)
"""For one request, which moves 64 MB at most: about 1 MB/s must be possible."""

RETRY: Any = {"max_retries": 10, "retry_timeout": timedelta(minutes=4)}
"""What obstore does itself: refused connections, dropped ones, 5xx and 429, and bodies of objects cut in the middle."""

_AMAZON = ("s3", "s3a", "http", "https")
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
_ONCE = re.compile(r"HTTP error: (request or response body error|error sending request)|performing DELETE \S+uploadId=")
"""An answer that was cut, a create that timed out; and an upload that ended in one of them, which is then given up."""

_TRIED = re.compile(r"after (\d+) retries")
"""How often obstore has tried again before it gave up."""


def open_remote(address: str, credentials: Credentials) -> Any:
    """The obstore of a URL; plain HTTP only where an endpoint is configured so (MinIO, Ceph).

    Raises:
        Unreachable: no kind of store is known for the address.
    """
    known = dict(credentials) if address.partition("://")[0] in _AMAZON else {}
    endpoint = known.get("aws_endpoint") or next(filter(None, map(os.environ.get, _ENDPOINTS)), "")
    options: Any = {"timeout": TIMEOUT, "allow_http": str(endpoint).startswith("http://")}
    try:
        provider: Any = known.pop("credential_provider", None)
        config: Any = known or None
        return from_url(
            address, config=config, client_options=options, retry_config=RETRY, credential_provider=provider
        )
    except OURS as error:
        said = str(error).strip().splitlines()[0]
        raise Unreachable(f"{address}: {said}; expected a folder or an address such as s3://bucket/prefix") from error


def patiently(ask: Callable[[str], T], path: str) -> T:
    """Asks again where obstore itself asks once: cut answers of listings and uploads, and a create that timed out."""
    again = Retrying(
        retry=retry_if_exception(_was_asked_once),
        stop=stop_after_attempt(6) | stop_after_delay(300),
        wait=wait_random_exponential(0.1, max=15),
        reraise=True,
    )
    return again(ask, path)


def _was_asked_once(error: BaseException) -> bool:
    """Whether the network failed in a way that obstore does not try again, whatever it has tried again before."""
    said = str(error).partition("\n")[0]
    ours = isinstance(error, (theirs.BaseError, FileNotFoundError))
    tried = _TRIED.search(said)
    return ours and _ONCE.search(said) is not None and (tried is None or int(tried[1]) < RETRY["max_retries"])
