"""What the guides tell people to do is done here: commands run, policies allow what is needed and no more."""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.core import set_initial_no_auth_action_count

from monitor_tasks.retention import KINDS
from tests import test_readme
from tests.test_readme import blocks, column, commands

checkout = test_readme.checkout
ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/operations.md").read_text()
POLICIES = sorted((ROOT / "docs/examples/iam").glob("*.json"))
OBJECTS = ("capture/churn/a", "labels/churn/a", "churn/model.skops", "monitoring/churn/a", "monitoring/other/a", "else")
READ, WRITE, DELETE = "get", "put", "delete"
MAY = {
    "monitor": {
        *((READ, name) for name in OBJECTS[:4]), (WRITE, OBJECTS[3]), (DELETE, OBJECTS[3]),
        *(("list", prefix) for prefix in ("capture/churn", "labels/churn", "monitoring/churn")),
    },
    "server": {(READ, OBJECTS[0]), (WRITE, OBJECTS[0]), ("list", "capture/churn")},
    "reader": {(READ, OBJECTS[3]), ("list", "monitoring/churn")},
}  # fmt: skip
SETUP = 4 + len(OBJECTS)


@pytest.mark.usefixtures("checkout")
def test_every_command_of_operations_ends_as_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    done = [one for _, one in commands(PAGE, monkeypatch)]
    assert len(done) >= 5
    told = json.loads(done[-1].output)
    assert told["removed"].keys() == {"samples"}, "the rows went before; reports are kept"
    assert told["kept"] == {"2026-01-01T05:00:00Z": "evidence of an open episode"}


def test_the_kinds_of_retention_are_those_of_the_code() -> None:
    assert column(PAGE, "key") == [*dict.fromkeys(KINDS.values())]
    (said,) = blocks(PAGE, "yaml")
    assert set(re.findall(r"^  (\w+):", said, re.MULTILINE)) == {*KINDS.values()}


def tried(policy: str) -> Iterator[tuple[str, str]]:
    """What a user with this policy alone may do to the objects of a bucket."""
    root = {"aws_access_key_id": "root", "aws_secret_access_key": "root", "region_name": "us-east-1"}
    iam, s3 = boto3.client("iam", **root), boto3.client("s3", **root)
    iam.create_user(UserName="one")
    keys = iam.create_access_key(UserName="one")["AccessKey"]
    iam.put_user_policy(UserName="one", PolicyName="it", PolicyDocument=policy)
    s3.create_bucket(Bucket="my-bucket")
    for name in OBJECTS:
        s3.put_object(Bucket="my-bucket", Key=name, Body=b"1")
    user: Any = boto3.client(
        "s3",
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        region_name="us-east-1",
    )
    asked: list[tuple[str, str, Any]] = [(READ, name, user.get_object) for name in OBJECTS]
    asked += [(WRITE, name, user.put_object) for name in OBJECTS]
    asked += [(DELETE, name, user.delete_object) for name in OBJECTS]
    for what, name, ask in asked:
        with suppress(ClientError):
            ask(Bucket="my-bucket", Key=name)
            yield what, name


@pytest.mark.parametrize("path", [one for one in POLICIES if one.stem in MAY], ids=lambda one: one.stem)
def test_a_policy_allows_what_is_needed_and_no_more(path: Path) -> None:
    with mock_aws():
        found = set_initial_no_auth_action_count(SETUP)(lambda: [*tried(path.read_text())])()
    assert set(found) == {one for one in MAY[path.stem] if one[0] != "list"}


@pytest.mark.parametrize("path", POLICIES, ids=lambda one: one.stem)
def test_no_policy_has_a_wildcard_where_it_could_name_something(path: Path) -> None:
    told = json.loads(path.read_text())
    assert told["Version"] == "2012-10-17"
    for one in told["Statement"]:
        assert all(re.fullmatch(r"\w+:[A-Z]\w+", action) for action in one["Action"])
        assert one["Effect"] == "Allow"
        assert one["Resource"] != "*" or one["Condition"], "a wildcard only where the service knows no resource"
        if "s3:ListBucket" in one["Action"]:
            prefixes = one["Condition"]["StringLike"]["s3:prefix"]
            assert {("list", prefix) for prefix in prefixes if not prefix.endswith("*")} >= {
                allowed for allowed in MAY[path.stem] if allowed[0] == "list"
            }
            assert "*" not in prefixes
    assert f"examples/iam/{path.name}" in PAGE
