"""Make a virtual environment that holds uv, from nothing but a Python 3.11 or newer.

    python3 scripts/bootstrap.py .venv

An environment that is already good is left alone. Standard library only, and written so that an old Python can still
read it and say what is wrong.
"""

import hashlib
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
from urllib.error import HTTPError
from urllib.parse import urljoin
from urllib.request import Request, urlopen

NEEDED = (3, 11)
OTHERS = ("python3.12", "python3.13", "python3.11")
NEW_ENOUGH = "import sys; sys.exit(sys.version_info < %r)" % (NEEDED,)


def main(folder):
    """Leave a working `bin/python` and `bin/uv` in the folder, or exit with one sentence that says what to do."""
    python, uv = (os.path.join(os.path.abspath(folder), "bin", name) for name in ("python", "uv"))
    if runs(python, "-c", NEW_ENOUGH) and runs(uv, "--version"):
        return
    if sys.version_info[:2] < NEEDED:
        hand_over()
    if not runs(python, "-c", NEW_ENOUGH):
        make_environment(folder)
    if "UV_DEFAULT_INDEX" in os.environ:
        os.environ.setdefault("PIP_INDEX_URL", os.environ["UV_DEFAULT_INDEX"])
    failures = []
    for way in (pip_of_the_environment, pip_of_the_system, pip_out_of_its_wheel):
        said = way(python)
        if runs(uv, "--version"):
            print("bootstrap: %s holds uv, by the %s" % (folder, way.__name__.replace("_", " ")))
            return
        failures.append("- %s: %s" % (way.__name__.replace("_", " "), (said.strip().splitlines() or ["no word"])[-1]))
    sys.exit("bootstrap: uv could not be brought into %s:\n%s" % (folder, "\n".join(failures)))


def hand_over():
    """Go on under a newer Python, if there is one that runs."""
    for other in OTHERS:
        if runs(other, "-c", NEW_ENOUGH):
            os.execvp(other, [other] + sys.argv)
    found = "%s is Python %d.%d.%d" % ((sys.executable,) + sys.version_info[:3])
    sys.exit(
        "bootstrap: Python %d.%d or newer is needed; %s, and none of %s runs here.\n"
        "Install one, or name it: make install PYTHON=/path/to/python3.11" % (NEEDED + (found, ", ".join(OTHERS)))
    )


def make_environment(folder):
    """Make the environment with pip, or without where this Python cannot bring it (Debian without python3-venv)."""
    command = (sys.executable, "-m", "venv", "--clear", folder)
    if not (has_ensurepip() and runs(*command)):
        code, said = run(*(command + ("--without-pip",)))
        if code:
            sys.exit("bootstrap: %s made no environment in %s:\n%s" % (sys.executable, folder, said))


def has_ensurepip():
    """Tell whether this Python carries a pip to put into an environment."""
    try:
        import ensurepip
    except ImportError:
        return False
    return hasattr(ensurepip, "version")


def pip_of_the_environment(python):
    """Install uv with the pip inside the environment."""
    return run(python, "-m", "pip", "install", "--quiet", "uv")[1]


def pip_of_the_system(python):
    """Install uv with the pip beside the Python that runs this file."""
    return run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "uv")[1]


def pip_out_of_its_wheel(python):
    """Fetch pip's own wheel, check its hash, and install uv with it without installing pip."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            wheel = fetch_pip(folder)
        except (OSError, ValueError, LookupError) as error:
            return "%s: %s" % (type(error).__name__, error)
        return run(python, os.path.join(wheel, "pip"), "install", "--quiet", "uv")[1]


def fetch_pip(folder):
    """Download the newest pip wheel that this Python may use from the package index, and check its hash."""
    page = os.environ.get("PIP_INDEX_URL", "https://pypi.org/simple").rstrip("/") + "/pip/"
    files = json.loads(get(page, "application/vnd.pypi.simple.v1+json").decode("utf-8"))["files"]
    newest = max((file for file in files if is_usable(file)), key=version)
    content = get(urljoin(page, newest["url"]))
    if hashlib.sha256(content).hexdigest() != newest["hashes"]["sha256"]:
        raise ValueError("%s is not the file the index names" % newest["filename"])
    wheel = os.path.join(folder, newest["filename"])
    with open(wheel, "wb") as out:
        out.write(content)
    return wheel


def is_usable(file):
    """Tell whether an index entry is a final, current pip wheel for this Python."""
    at_least = re.match(r">=3\.(\d+)", file.get("requires-python") or ">=3.0")
    final = re.match(r"pip-\d+(\.\d+)*-py3-none-any\.whl$", file["filename"])
    return bool(final and at_least and int(at_least.group(1)) <= sys.version_info[1] and not file.get("yanked"))


def version(file):
    """Return the version in a wheel's file name, as numbers that compare."""
    return [int(part) for part in file["filename"].split("-")[1].split(".")]


def get(url, accept="*/*"):
    """Return the body behind an address."""
    trust = ssl.create_default_context(cafile=os.environ.get("PIP_CERT"))
    try:
        with urlopen(Request(url, headers={"Accept": accept}), timeout=60, context=trust) as answer:
            return answer.read()
    except HTTPError as error:
        error.close()  # it is an answer, too
        raise


def run(*command):
    """Run a command; return its exit code and all it said."""
    if not shutil.which(command[0]):
        return 127, "%s is not there" % command[0]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return done.returncode, done.stdout.decode("utf-8", "replace")


def runs(*command):
    """Tell whether a command is there and succeeds."""
    return run(*command)[0] == 0


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else ".venv")
