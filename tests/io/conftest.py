"""S3 servers for the rooms that speak to one: moto's in every run, Ceph's gateway where its programs are."""

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import uuid4

import boto3
import pytest

from scripts.s3_gateway import Gateway
from tests.moto_server import moto_server


class Server:
    """An S3 server, and the keys of one user of it."""

    def __init__(self, endpoint: str, key: str, secret: str) -> None:
        self.endpoint = endpoint
        self.credentials = {
            "aws_access_key_id": key,
            "aws_secret_access_key": secret,
            "aws_region": "us-east-1",
            "aws_endpoint": endpoint,
        }
        self.client: Any = boto3.client(
            "s3",
            endpoint_url=endpoint,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            region_name="us-east-1",
        )

    def bucket(self) -> str:
        """A new bucket."""
        name = f"bucket-{uuid4().hex[:12]}"
        self.client.create_bucket(Bucket=name)
        return name

    def through(self, address: str) -> Mapping[str, str]:
        """The credentials of somebody who finds the server behind a proxy."""
        return {**self.credentials, "aws_endpoint": address}


@pytest.fixture(scope="session")
def moto() -> Iterator[Server]:
    with moto_server() as address:
        yield Server(address, "key", "secret")


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    if Gateway.missing():
        pytest.skip(f"needs Ceph's S3 gateway (.ci/run full installs it); not here: {', '.join(Gateway.missing())}")
    with Gateway(tmp_path_factory.mktemp("gateway")) as running:
        yield running


@pytest.fixture(scope="session")
def ceph(gateway: Gateway) -> Server:
    """The gateway as its first user sees it."""
    return Server(gateway.endpoint, *next(iter(gateway.keys.items())))


@pytest.fixture
def in_environment(moto: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """Moto's server as the command line finds it: by the variables of the environment."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto.endpoint)
    for name, value in moto.credentials.items():
        if name != "aws_endpoint":
            monkeypatch.setenv(name.upper(), value)
    return moto
