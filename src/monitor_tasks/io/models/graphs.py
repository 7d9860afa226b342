"""ONNX: a graph of any library's model, asked through onnxruntime."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitor_tasks.io.models.libraries import library

KINDS = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(bool)": np.bool_,
    "tensor(string)": np.object_,
}
"""How the cells of an input are given."""


class OnnxModel(NamedTuple):
    """A graph with one input of all columns, or one input a column."""

    session: Any

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that it learned, where each has an input; else empty."""
        return tuple(one.name for one in self._inputs) if len(self._inputs) > 1 else ()

    @property
    def width(self) -> int | None:
        """How many columns it takes; None where the graph does not say."""
        if len(self._inputs) > 1:
            return len(self._inputs)
        shape = self._inputs[0].shape
        return shape[1] if len(shape) > 1 and isinstance(shape[1], int) else None

    @property
    def texts(self) -> tuple[str, ...]:
        """The columns that are texts."""
        return tuple(one.name for one in self._inputs if one.type == "tensor(string)" and len(self._inputs) > 1)

    def predict(self, frame: Any) -> NDArray[np.float64]:
        """What it answers: probabilities where the graph has them, one line a row."""
        if len(self._inputs) == 1:
            (one,) = self._inputs
            fed = {one.name: _cells(frame, one.type)}
        else:
            fed = {one.name: _cells(frame[[one.name]], one.type) for one in self._inputs}
        (found,) = self.session.run([self._output], fed)
        if isinstance(found, list):  # a map from class to probability for each row
            return np.array([[row[key] for key in sorted(row)] for row in found], np.float64)
        answers = np.asarray(found, np.float64)
        return answers.reshape(len(frame), -1) if answers.size else answers.reshape(len(frame), 1)

    @property
    def _inputs(self) -> Any:
        return self.session.get_inputs()

    @property
    def _output(self) -> str:
        """The probabilities where one is called so, else the last output of fractions."""
        known = self.session.get_outputs()
        fractions = [one for one in known if "float" in one.type or "double" in one.type]
        named = [one for one in fractions if "prob" in one.name.lower()]
        return str((named or fractions or known)[-1].name)


def read_onnx(content: bytes) -> OnnxModel:
    """The graph in a file ``.onnx``; graphs whose weights lie in other files are refused by the library."""
    runtime = library("onnxruntime", "onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    return OnnxModel(runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"]))


def _cells(frame: Any, kind: str) -> Any:
    if kind not in KINDS:
        raise TypeError(f"the graph takes {kind}; expected one of {', '.join(KINDS)}")
    return frame.to_numpy(KINDS[kind])
