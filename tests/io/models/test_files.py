"""A model comes from its pinned bytes only, and a pickle never runs unasked."""

import hashlib
import io
import os
import pickle
import sys
from pathlib import Path
from types import SimpleNamespace

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from examples.loan_scoring import model as example
from examples.loan_scoring.story import HEALTHY
from examples.loan_scoring.world import FEATURES, draw
from monitor_tasks.io.models import load_model
from monitor_tasks.io.store import Missing, Store
from monitor_tasks.value import UserError

MODEL = LogisticRegression().fit([[0.0], [1.0]], [0, 1])


class Planted:
    """A payload: whoever unpickles it creates a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> object:
        return os.mkdir, (str(self.folder),)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def dumped(value: object) -> bytes:
    file = io.BytesIO()
    joblib.dump(value, file)
    return file.getvalue()


def written(path: Path, content: bytes) -> tuple[str, str]:
    path.write_bytes(content)
    return str(path), sha256(content)


def test_the_examples_model_predicts_as_before(tmp_path: Path) -> None:
    people = draw(HEALTHY, 300, np.random.default_rng(1))
    trained = example.train(people)
    card = example.save(trained, tmp_path)
    loaded = load_model(str(tmp_path / "model.joblib"), card["sha256"].upper(), allow_pickle=True)
    applicants = people[list(FEATURES)]
    assert np.array_equal(loaded.predict_proba(applicants), trained.predict_proba(applicants))


@pytest.mark.parametrize("ending", ["joblib", "pkl"])
def test_a_plain_pickle_is_read_from_any_store(ending: str) -> None:
    content = pickle.dumps(MODEL)
    Store("memory://models").put(f"here/model.{ending}", content)
    loaded = load_model(f"memory://models/here/model.{ending}", sha256(content), allow_pickle=True)
    assert loaded.predict([[1.0]]) == [1]


@pytest.mark.parametrize("name", ["model.joblib", "model.pkl", "model.skops"])
def test_a_planted_payload_never_runs_unasked(tmp_path: Path, name: str) -> None:
    address, pinned = written(tmp_path / name, dumped(Planted(tmp_path / "planted")))
    with pytest.raises(UserError):
        load_model(address, pinned)
    with pytest.raises(UserError):
        load_model(address, "0" * 64, allow_pickle=True)
    assert not (tmp_path / "planted").exists()
    if not name.endswith("skops"):
        load_model(address, pinned, allow_pickle=True)
        assert (tmp_path / "planted").exists()


def test_a_pickle_without_being_asked_for_says_how_to_ask(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"model.joblib: a pickle runs whatever code .* set allow_pickle: true"):
        load_model(*written(tmp_path / "model.joblib", dumped(MODEL)))


def test_another_file_at_the_address_names_both_hashes(tmp_path: Path) -> None:
    address, found = written(tmp_path / "model.joblib", dumped(MODEL))
    with pytest.raises(UserError, match=f"sha256 is {found}, pinned is {'0' * 64}; restore the pinned file"):
        load_model(address, "0" * 64, allow_pickle=True)


def test_a_file_that_is_not_there_is_missing(tmp_path: Path) -> None:
    with pytest.raises(Missing, match=r"model.joblib: nothing is there"):
        load_model(str(tmp_path / "model.joblib"), "0" * 64, allow_pickle=True)


@pytest.mark.parametrize("content", [b"", b"not a model", dumped(MODEL)[:100], b"\x80\x05cno_module\nthing\n."])
def test_broken_content_is_one_clear_error(tmp_path: Path, content: bytes) -> None:
    address, pinned = written(tmp_path / "model.joblib", content)
    with pytest.raises(UserError, match=r"model.joblib: not a readable model: \w+: .*save it again"):
        load_model(address, pinned, allow_pickle=True)


def test_an_unknown_kind_of_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"unknown kind of model file; expected .skops, .ubj, .*python://module:function"
    ):
        load_model(*written(tmp_path / "model.h5", b"x"), allow_pickle=True)


def fake(monkeypatch: pytest.MonkeyPatch, untrusted: list[str]) -> list[list[str]]:
    """A skops that loads one model and writes down what it was told to trust."""
    trusted: list[list[str]] = []

    def loads(content: bytes, trusted: list[str], seen: list[list[str]] = trusted) -> LogisticRegression:
        seen.append(trusted)
        return MODEL

    def unknown(data: bytes) -> list[str]:
        if data == b"broken":
            raise ValueError("File is not a zip file")
        return untrusted

    monkeypatch.setitem(sys.modules, "skops.io", SimpleNamespace(get_untrusted_types=unknown, loads=loads))
    monkeypatch.setitem(sys.modules, "skops", SimpleNamespace())
    return trusted


def test_skops_is_read_without_opting_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trusted = fake(monkeypatch, ["sklearn.tree._tree.Tree"])
    assert load_model(*written(tmp_path / "model.skops", b"x")) is MODEL
    assert all(name.startswith(("numpy.", "sklearn.")) for name in trusted[0])


def test_skops_with_foreign_types_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trusted = fake(monkeypatch, ["sklearn.tree._tree.Tree", "os.system"])
    with pytest.raises(UserError, match=r"types that may run code: os.system;"):
        load_model(*written(tmp_path / "model.skops", b"x"))
    assert trusted == []


def test_broken_skops_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, [])
    with pytest.raises(UserError, match="not a readable model: ValueError: File is not a zip file"):
        load_model(*written(tmp_path / "model.skops", b"broken"))


def test_skops_that_is_not_installed_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skops.io", None)
    with pytest.raises(UserError, match="skops is not installed"):
        load_model(*written(tmp_path / "model.skops", b"x"))


def test_real_skops_brings_trees_back(tmp_path: Path) -> None:
    skops = pytest.importorskip("skops.io")
    people = draw(HEALTHY, 300, np.random.default_rng(1))
    trained = example.train(people)
    loaded = load_model(*written(tmp_path / "model.skops", skops.dumps(trained)))
    applicants = people[list(FEATURES)]
    assert np.array_equal(loaded.predict_proba(applicants), trained.predict_proba(applicants))
