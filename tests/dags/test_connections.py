"""An Airflow connection opens a bucket: keys, tokens, roles, profiles, endpoints; nothing stands in for a lost one."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.io.faulty import FaultyProxy

ROOT = Path(__file__).resolve().parents[2]
NO_CHAIN = {
    "AWS_ACCESS_KEY_ID": "of-the-machine",
    "AWS_SECRET_ACCESS_KEY": "of-the-machine",
    "AWS_SESSION_TOKEN": "",
    "AWS_ENDPOINT_URL": "",
    "AWS_EC2_METADATA_DISABLED": "true",
}

RESOLVE = """
import json, sys
from datetime import timedelta
sys.path.append({folder!r})
import monitor_connections
from monitor_tasks.endpoint import Endpoint
from monitor_tasks.value import UserError
monitor_connections.FRESH = timedelta(seconds={fresh})

def asked(connection):
    endpoint = Endpoint.parse(
        "endpoint_name: e\\nroot: s3://{bucket}/" + connection + "\\naws_conn_id: " + connection
        + "\\ncapture: {{address: capture}}\\nmonitors: {{data_quality: {{}}}}\\n", "e.yaml", ".")
    try:
        site = monitor_connections.site(endpoint)
        site.store.create("a", b"1")
        held = [site.credentials["credential_provider"]() for _ in range(2)]
        return {{"read": site.store.get("a").decode(), "keys": [one["access_key_id"] for one in held],
                 "token": held[0]["token"], "region": site.credentials.get("aws_region"),
                 "endpoint": site.credentials.get("aws_endpoint")}}
    except UserError as error:
        return {{"error": str(error)}}

print(json.dumps({{name: asked(name) for name in {connections!r}}}))
"""


@pytest.fixture
def bucket(moto: str) -> str:
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "us-east-1"}
    boto3.client("s3", endpoint_url=moto, **keys).create_bucket(Bucket="monitored")
    return "monitored"


def connection(login: str | None = None, secret: str | None = None, **extra: Any) -> str:
    return json.dumps({"conn_type": "aws", "login": login, "password": secret, "extra": extra})


def test_every_kind_of_connection_opens_the_bucket(
    in_airflow: Callable[..., Any], moto: str, bucket: str, tmp_path: Path
) -> None:
    (tmp_path / "credentials").write_text("[team]\naws_access_key_id = of-team\naws_secret_access_key = s\n")
    (tmp_path / "config").write_text("[profile team]\nregion = eu-west-3\n")
    role = {"role_arn": "arn:aws:iam::123456789012:role/monitor"}
    services = {"s3": {"endpoint_url": moto}, "sts": {"endpoint_url": moto}}
    known = {
        "static": connection("static-key", "s", region_name="eu-central-1", endpoint_url=moto),
        "token": connection("session-key", "s", aws_session_token="t", service_config=services),
        "role": connection("first-key", "s", region_name="us-west-2", service_config=services, **role),
        "profile": connection(profile_name="team", service_config=services),
        "no_profile": connection(profile_name="nobody", service_config=services),
        "machine": connection(endpoint_url=moto),
    }
    code = RESOLVE.format(folder=str(ROOT / "dags"), bucket=bucket, fresh=300, connections=[*known, "unknown"])
    found = in_airflow(
        code,
        **NO_CHAIN,
        **{f"AIRFLOW_CONN_{name.upper()}": text for name, text in known.items()},
        AWS_SHARED_CREDENTIALS_FILE=str(tmp_path / "credentials"),
        AWS_CONFIG_FILE=str(tmp_path / "config"),
    )
    opened = {"read": "1", "endpoint": moto}
    assert found["static"] == {**opened, "keys": ["static-key"] * 2, "token": None, "region": "eu-central-1"}
    assert found["token"] == {**opened, "keys": ["session-key"] * 2, "token": "t", "region": None}
    assert found["profile"] == {**opened, "keys": ["of-team"] * 2, "token": None, "region": "eu-west-3"}
    assert found["machine"] == {**opened, "keys": ["of-the-machine"] * 2, "token": None, "region": None}
    assert found["role"] == {**opened, **found["role"], "region": "us-west-2"}
    assert found["role"]["keys"][0].startswith("ASIA")
    assert found["role"]["keys"][0] == found["role"]["keys"][1]
    assert found["role"]["token"]
    assert "e: aws_conn_id: unknown: Airflow has no such connection" in found["unknown"]["error"]
    assert "e: aws_conn_id: no_profile: gives no credentials: " in found["no_profile"]["error"]
    assert "nobody" in found["no_profile"]["error"]


def test_a_roles_credentials_are_renewed_while_a_task_runs(
    in_airflow: Callable[..., Any], moto: str, bucket: str
) -> None:
    """Credentials of the shortest life that STS gives are due for renewal at once."""
    with FaultyProxy(moto) as sts:
        role = connection(
            "first-key",
            "s",
            region_name="us-east-1",
            role_arn="arn:aws:iam::123456789012:role/monitor",
            assume_role_kwargs={"DurationSeconds": 900},
            service_config={"s3": {"endpoint_url": moto}, "sts": {"endpoint_url": sts.address}},
        )
        code = RESOLVE.format(folder=str(ROOT / "dags"), bucket=bucket, fresh=0, connections=["role"])
        found = in_airflow(code, **NO_CHAIN, AIRFLOW_CONN_ROLE=role)["role"]
    assert found["read"] == "1"
    assert len(set(found["keys"])) == 2
    assert len(sts.asked) >= 5  # taken on, written, twice given out, read
