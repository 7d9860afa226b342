"""docs/migrating.md is done literally: every command ends with the exit code that stands beside it."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from monitor_tasks.cli import app
from tests.test_readme import ROOT, checkout, lines

__all__ = ["checkout"]


def test_the_move_on_the_page_ends_as_it_says(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    codes = []
    for line in lines((ROOT / "docs/migrating.md").read_text()):
        words = shlex.split(line, comments=True)
        if words[:1] == ["export"]:
            monkeypatch.setenv(*words[1].split("=", 1))
            continue
        said = re.search(r"# exit code (\d)$", line)
        assert said, f"no exit code stands beside: {line}"
        typed = [str(path) for word in words[1:] for path in (sorted(Path().glob(word)) if "*" in word else [word])]
        done = CliRunner().invoke(app, typed)
        assert done.exit_code == int(said[1]), f"{line}\n{done.output}\n{done.exception!r}"
        codes.append(done.exit_code)
    assert codes == [0, 0, 0, 0, 1, 0, 3]
