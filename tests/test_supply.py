"""What we ship and stand on: hashes in the lock, a bill of materials, licences, and no call that runs a text."""

import ast
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from scripts import latest, packages

ROOT = Path(__file__).parents[1]
SHIPPED = sorted(path for room in ("src", "dags", "plugins", "config") for path in (ROOT / room).rglob("*.py"))
ALLOWED = {
    *("0BSD", "Apache-2.0", "BSD", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "CNRI-Python", "ISC", "MIT", "MIT-0"),
    *("PSF-2.0", "Unlicense", "Zlib", "Apache-2.0 WITH LLVM-exception", "Artistic-1.0"),
    "MPL-2.0",  # of single files, which we leave as they are
}
# Not free for every use; nobody gets them who did not ask for them.
ASKED_FOR = {
    "LGPL-3.0-only": {"psycopg", "psycopg-binary"},
    "LGPL-3.0-or-later WITH openssl-exception": {"psycopg2-binary"},
    "NVIDIA's terms": {"nvidia-nccl-cu12", "nvidia-nccl-cu13"},
}
FORBIDDEN = {
    "eval": "runs a text",
    "exec": "runs a text",
    "compile": "makes a text something that runs",
    "os.system": "is a shell",
    "os.popen": "is a shell",
    "subprocess.getoutput": "is a shell",
    "subprocess.getstatusoutput": "is a shell",
    "tempfile.mktemp": "names a file that another may make first",
    "yaml.load": "may build any object; use a safe loader",
    "yaml.load_all": "may build any object; use a safe loader",
    "yaml.unsafe_load": "builds any object",
    "yaml.full_load": "builds many objects",
}
LOADERS = {"pickle", "joblib", "marshal", "shelve", "dill", "cloudpickle", "_pickle"}
# The opt-ins: the user names the script or the pickle, and may pin its hash.
OPT_IN = {
    ("exec", "tables/hooks.py"),
    ("compile", "tables/hooks.py"),
    ("joblib", "io/models/files.py"),
}


@pytest.fixture(scope="module")
def found() -> list[packages.Package]:
    return packages.packages()


def test_every_file_of_the_lock_has_its_hash() -> None:
    lock = packages.locked()
    files = [file for one in lock["package"] for file in [*one.get("wheels", []), *filter(None, [one.get("sdist")])]]
    assert len(files) > 1000
    assert [file["url"] for file in files if not re.fullmatch(r"sha256:[0-9a-f]{64}", file["hash"])] == []
    assert {one["source"].get("registry", "ours") for one in lock["package"]} == {"https://pypi.org/simple", "ours"}


def test_the_bill_of_materials_is_valid_and_a_function_of_the_lock(found: list[packages.Package]) -> None:
    text = packages.bill(found)
    assert packages.bill(found[::-1]) == text
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    told = json.loads(text)
    assert "timestamp" not in told["metadata"]
    assert {one["bom-ref"] for one in told["components"]} == {one.key for one in found}
    needs = {one["ref"]: one.get("dependsOn", []) for one in told["dependencies"]}
    assert any(need.startswith("pkg:pypi/pyarrow@") for need in needs["monitor-tasks"])
    assert not any(need.startswith("pkg:pypi/pytest@") for need in needs["monitor-tasks"])
    assert all(one["externalReferences"][0]["hashes"][0]["alg"] == "SHA-256" for one in told["components"])


def test_another_lock_is_another_bill(found: list[packages.Package]) -> None:
    few = found[:1]
    few = [few[0]._replace(needs=())]
    other = [few[0]._replace(files=((few[0].files[0][0], "0" * 64),))]
    assert json.loads(packages.bill(few))["serialNumber"] != json.loads(packages.bill(other))["serialNumber"]


def test_the_scope_says_who_needs_a_package(found: list[packages.Package]) -> None:
    scopes = {one.name: one.scope for one in found}
    assert {scopes[name] for name in ("pyarrow", "botocore", "apache-airflow-core")} == {"required"}
    assert scopes["lightgbm"] == "optional"
    assert {scopes[name] for name in ("pytest", "psycopg2-binary", "ruff")} == {"excluded"}


def test_every_licence_is_allowed(found: list[packages.Package]) -> None:
    for one in found:
        if one.name in ASKED_FOR.get(one.licence, ()):
            assert one.scope != "required", f"{one.name}: {one.licence} would come to everyone"
            continue
        choices = [
            {part.strip("() ") for part in re.split(r" AND ", choice)} for choice in re.split(r" OR ", one.licence)
        ]
        assert any(choice <= ALLOWED for choice in choices), f"{one.name}: {one.licence or 'no licence is told'}"


def test_the_page_of_licences_is_of_this_lock() -> None:
    said = (ROOT / "docs/licences.md").read_text()
    assert said == packages.page(), "write it again: python -m tests.documents"


def offences(tree: ast.AST) -> Iterator[tuple[str, int, str]]:
    """Every call or import in a module that is forbidden: what, in which line, why."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            for name in {one.partition(".")[0] for one in names} & LOADERS:
                yield name, node.lineno, "loads what may run any code"
        if isinstance(node, ast.Call):
            yield from _offences_of_a_call(node)


def _offences_of_a_call(node: ast.Call) -> Iterator[tuple[str, int, str]]:
    name = ast.unparse(node.func)
    given = {word.arg: ast.unparse(word.value) for word in node.keywords}
    if name in FORBIDDEN and not (name.startswith("yaml.load") and "Safe" in ast.unparse(node)):
        yield name, node.lineno, FORBIDDEN[name]
    if given.get("shell", "False") != "False":
        yield name, node.lineno, "starts a shell"
    if re.match(r"(requests|httpx)\.(get|post|put|delete|head|request|patch)$", name) and "timeout" not in given:
        yield name, node.lineno, "waits for ever"
    if name.endswith("urlopen") and "timeout" not in given:
        yield name, node.lineno, "waits for ever"
    module = ast.unparse(node.args[0]).strip("'") if name.endswith("import_module") and node.args else ""
    if module in LOADERS:
        yield module, node.lineno, "loads what may run any code"
    if given.get("allow_pickle") == "True" or given.get("verify") == "False":
        yield name, node.lineno, "trusts what it should not"


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_runs_a_text_or_waits_for_ever(path: Path) -> None:
    told = [f"{path.name}:{line}: {what} {why}" for what, line, why in offences(ast.parse(path.read_text()))
            if not any(what == name and str(path).endswith(file) for name, file in OPT_IN)]  # fmt: skip
    assert told == []


def test_the_opt_ins_are_there_and_no_more() -> None:
    used = {(what, file) for path in SHIPPED for what, _, _ in offences(ast.parse(path.read_text()))
            for name, file in OPT_IN if what == name and str(path).endswith(file)}  # fmt: skip
    assert used == OPT_IN


@pytest.mark.parametrize(
    "code",
    [
        "eval('1')",
        "exec(text)",
        "compile(text, 'a', 'exec')",
        "import pickle",
        "from joblib import load",
        "import_module('marshal')",
        "yaml.load(text)",
        "yaml.load(text, Loader=yaml.FullLoader)",
        "yaml.unsafe_load(text)",
        "subprocess.run('ls', shell=True)",
        "subprocess.run('ls', shell=maybe)",
        "os.system('ls')",
        "requests.get(url)",
        "httpx.post(url, json={})",
        "urllib.request.urlopen(url)",
        "np.load(file, allow_pickle=True)",
        "requests.get(url, timeout=1, verify=False)",
    ],
)
def test_each_offence_is_seen(code: str) -> None:
    assert [*offences(ast.parse(code))]


@pytest.mark.parametrize(
    "code", ["re.compile(text)", "yaml.load(text, Loader=yaml.SafeLoader)", "requests.get(url, timeout=3)", "a.eval()"]
)
def test_what_is_meant_is_let_be(code: str) -> None:
    assert [*offences(ast.parse(code))] == []


def test_lint_looks_at_all_that_is_shipped_with_bandit() -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert "SHIPPED := src dags config $(wildcard plugins)" in makefile
    assert "bandit --quiet --configfile pyproject.toml --recursive $(SHIPPED)" in makefile
    said = (ROOT / "pyproject.toml").read_text().partition("[tool.bandit]")[2].partition("\n[")[0]
    skips = tomllib.loads(f"[tool.bandit]{said}")["tool"]["bandit"]["skips"]
    assert all(re.search(rf'"{one}",  # \w', said) for one in skips), "every skip says why"


def test_the_newest_python_is_the_one_that_airflow_supports() -> None:
    oldest, newest = latest.pythons()
    assert oldest == "3.11"
    assert tuple(map(int, newest.split("."))) >= (3, 14)
    assert latest.newest_of("!=3.15,>=3.10", ["3.10", "3.14", "3.15"]) == "3.14"
