"""Graphs, opened with onnxruntime."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from equipoise.errors import ModelError, UsageError

_EXTERNAL = b"\n\x08location\x12"
"""How a graph begins to say that a tensor lies in another file: `StringStringEntryProto(key="location", …)`."""


def answers_name(number: int) -> str:
    """Return the name of the graph's output that holds a task's predictions; tasks are counted from 0."""
    return f"answers_{number}"


def outputs_name(number: int) -> str:
    """Return the name of what a task's head gives before it becomes predictions: see `equipoise.kinds.Objective`."""
    return f"outputs_{number}"


def open_graph(path: Path) -> Any:
    """Open a graph, to be run on the CPU.

    Nothing but the file is read: a graph that keeps tensors in other files is refused, and no library of custom
    operators is loaded. It runs on as many threads as `OMP_NUM_THREADS` says, by default on one per core.

    Returns:
        An `onnxruntime.InferenceSession`.

    Raises:
        ModelError: the file is no such graph.
        UsageError: onnxruntime is not installed.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise UsageError(
            f"{path}: an exported model is run by onnxruntime, which cannot be imported ({error}); install it: pip "
            "install onnxruntime, or 'equipoise[onnx]'."
        ) from None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    threads = os.environ.get("OMP_NUM_THREADS", "")
    options.intra_op_num_threads = int(threads) if threads.isdecimal() else 0
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(path.parent))
    try:
        content = path.read_bytes()
        if _EXTERNAL in content:
            raise ModelError(f"{path}: keeps tensors in other files, which are never read; export the model again.")
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except ModelError:
        raise
    except Exception as error:  # onnxruntime has a class for each of its codes
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"{path}: not a readable graph ({reason}); export the model again.") from None


def predict_means(graph: Any, number: int, means: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Make predictions of averaged outputs.

    Args:
        graph: what does, opened (`open_graph`).
        number: the task's.
        means: the outputs, texts in the first dimension.
    """
    # A graph wants all of its inputs, also those that the answer does not depend on.
    given = {one.name: np.zeros((len(means), *one.shape[1:]), np.float32) for one in graph.get_inputs()}
    given[outputs_name(number)] = means.astype(np.float32)
    (found,) = graph.run([answers_name(number)], given)
    return np.asarray(found)
