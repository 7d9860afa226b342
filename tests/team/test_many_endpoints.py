"""A thousand endpoints: a task reads its own file only, and copies of a DAG file share the rest."""

from pathlib import Path
from typing import Any

import pytest

from monitor_tasks import site
from monitor_tasks.endpoint import Endpoint
from monitor_tasks.site import load_endpoints, share_of
from monitor_tasks.value import UserError

TEXT = """
endpoint_name: {name}
root: artifacts
capture: {{address: capture, output_names: [probability]}}
monitors: {{data_quality: {{}}}}
"""


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that were read as YAML."""
    found: list[str] = []

    def load(path: str, *rest: str) -> Endpoint:
        found.append(Path(path).name)
        return real(path, *rest)

    real = site.load_endpoint
    monkeypatch.setattr(site, "load_endpoint", load)
    return found


def names(found: dict[str, Any]) -> list[str]:
    return sorted(one.endpoint_name if isinstance(one, Endpoint) else "broken" for one in found.values())


def test_a_task_reads_only_its_own_endpoint_of_a_thousand(tmp_path: Path, read: list[str]) -> None:
    for number in range(1000):
        (tmp_path / f"file-{number}.yaml").write_text(TEXT.format(name=f"e{number}"))
    assert names(load_endpoints(tmp_path, "e77")) == ["e77"]
    assert read == ["file-77.yaml"]


@pytest.mark.parametrize("first", ['endpoint_name: "churn"', "'endpoint_name' : churn", "endpoint_name: churn # x"])
def test_the_name_is_found_however_it_is_written(first: str, tmp_path: Path, read: list[str]) -> None:
    (tmp_path / "other.yaml").write_text(TEXT.format(name="other"))
    (tmp_path / "a.yaml").write_text(
        "# endpoint_name: other\n" + TEXT.format(name="x").replace("endpoint_name: x", first)
    )
    assert names(load_endpoints(tmp_path, "churn")) == ["churn"]
    assert read == ["a.yaml"]


def test_what_cannot_be_told_by_its_look_is_found_by_reading_all(tmp_path: Path) -> None:
    flow = ", ".join(TEXT.format(name="churn").strip().splitlines())
    (tmp_path / "a.yaml").write_text("{" + flow + "}")
    (tmp_path / "b.yaml").write_text(TEXT.format(name="other"))
    assert "churn" in names(load_endpoints(tmp_path, "churn"))


def test_a_broken_file_and_a_twin_are_told_in_a_task_too(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(TEXT.format(name="churn"))
    (tmp_path / "b.yaml").write_text(TEXT.format(name="churn"))
    (tmp_path / "c.yaml").write_text("endpoint_name: churns\n")
    _, twin = load_endpoints(tmp_path, "churn").values()
    assert "churn is taken by" in str(twin)
    (broken,) = load_endpoints(tmp_path, "c").values()
    assert isinstance(broken, UserError)


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_shares_are_everything_once_and_twins_fall_into_one(count: int, tmp_path: Path) -> None:
    for number in range(40):
        (tmp_path / f"file-{number}.yaml").write_text(TEXT.format(name=f"e{number % 39}"))
    shares = [load_endpoints(tmp_path, share=(number, count)) for number in range(count)]
    assert sorted(path for share in shares for path in share) == sorted(map(str, tmp_path.iterdir()))
    assert names({path: one for share in shares for path, one in share.items()}).count("broken") == 1


def test_a_dag_file_and_its_copies_know_their_share(tmp_path: Path) -> None:
    files = [tmp_path / f"{name}.py" for name in ("dag_ones", "dag_ones_2", "dag_ones_3", "dag_others", "dag_ones_x")]
    for file in files:
        file.touch()
    assert [share_of(str(file)) for file in files[:3]] == [(0, 3), (1, 3), (2, 3)]
    assert share_of(str(files[3])) == share_of(str(files[4])) == (0, 1)
