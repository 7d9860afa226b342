"""Other libraries in environments of their own: made in .peers by uv when asked for, used by the scripts in peers/."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from benchmarks.measure import Cost, NotMeasured

ROOT = Path(__file__).parents[1]
ENVIRONMENTS = ROOT / ".peers"
QUIET = {"DO_NOT_TRACK": "1", "NML_DISABLE_USAGE_LOGGING": "1", "WHYLOGS_NO_ANALYTICS": "1", "PYTHONWARNINGS": "ignore"}
"""No library tells its makers that it was run."""


class Library(NamedTuple):
    """A library that does the same, and what is installed for it: its newest release, with what that needs to run."""

    name: str
    packages: tuple[str, ...]

    def side(self, folder: Path) -> Callable[[], Cost]:
        """The call that runs its script in its environment, which is made here where there is none.

        Raises:
            NotMeasured: it cannot be installed or does not run.
        """
        python = self._environment()
        return lambda: _cost(_said(python, "-m", f"benchmarks.peers.{self.name}", folder))

    def said(self, *given: str | Path) -> str:
        """The last line that its script prints, given these words.

        Raises:
            NotMeasured: it cannot be installed or does not run.
        """
        return _said(self._environment(), "-m", f"benchmarks.peers.{self.name}", *given)

    def _environment(self) -> Path:
        """The environment's Python; the stamp comes last, so a broken install is tried again."""
        folder, wanted = ENVIRONMENTS / self.name, "\n".join(self.packages)
        python, stamp = folder / "bin" / "python", folder / "installed"
        if not stamp.exists() or stamp.read_text() != wanted:
            uv = shutil.which("uv", path=os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])))
            if uv is None:
                raise NotMeasured("there is no uv to install it with")
            _said(uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder)
            _said(uv, "pip", "install", "--quiet", "--python", python, *self.packages)
            stamp.write_text(wanted)
        return python


LIBRARIES = {
    Library("nannyml", ("nannyml", "statsmodels", "pandas<3")): 20,
    Library("whylogs", ("whylogs[viz]", "numpy<2", "pandas<3", "pyarrow<20")): 60,
    Library("evidently", ("evidently", "pandas<3")): 100,
    Library("spark", ("pyspark",)): 10,
}
"""With how many times faster we want to be."""


SMCLARIFY = Library("smclarify", ("smclarify==0.5", "pandas<2", "numpy<2", "scikit-learn<1.5"))
"""Clarify's own formulas, which ours are compared with."""
SAGEMAKER_SDK = Library("sagemaker_sdk", ("sagemaker<3",))
"""The classes that read SageMaker's files; the next major version has them no longer."""
FAIRLEARN = Library("fairlearn", ("fairlearn", "pandas<3", "pyarrow"))
"""Rates by group, which ours are faster than."""


def _said(*command: str | Path) -> str:
    """The last line that a command printed."""
    done = subprocess.run(command, cwd=ROOT, env=os.environ | QUIET, capture_output=True, text=True, check=False)
    *_, last = ("", *(done.stderr if done.returncode else done.stdout).strip().splitlines())
    if done.returncode:
        raise NotMeasured(last.strip() or f"exit code {done.returncode}")
    return last


def _cost(line: str) -> Cost:
    known = json.loads(line)
    versions = ", ".join(f"{name} {version}" for name, version in known["versions"].items())
    apart = ", ".join(f"{name} {known['seconds'][name]:.1f} s" for name in ("import", "reference"))
    return Cost(known["seconds"]["window"], known["megabytes"], known["columns"], f"{versions}; before: {apart}")
