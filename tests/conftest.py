"""What all tests share: where the repository lies, and the samples beside it."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# A test process of pytest-xdist has a width from the start; a console that is made then would keep it.
os.environ.pop("COLUMNS", None)

settings.register_profile("steady", deadline=None, derandomize=True, database=None)
settings.load_profile("steady")


@pytest.fixture(scope="session")
def repository() -> Path:
    return Path(__file__).parents[1]


@pytest.fixture(scope="session")
def shared(repository: Path) -> Path:
    """The folder of shared samples; a test that needs it is skipped where it is not there."""
    folder = repository.parent / "shared/data"
    if not folder.is_dir():
        pytest.skip(f"no shared samples at {folder}")
    return folder


@pytest.fixture
def models_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models are asked in a process of their own; starting one takes longer than all that some tests look at."""
    from monitor_tasks import explaining

    monkeypatch.setattr(explaining, "in_a_process", lambda _, parts, *__: explaining.apart(*parts))
