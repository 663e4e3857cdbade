"""Loading a model, whatever computes: torch, or onnxruntime."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from equipoise.checks import checked_path
from equipoise.errors import UsageError

if TYPE_CHECKING:
    from equipoise.predicting import BasePredictor

_MARK = "onnx.json"


def load(folder: str | Path, device: Any = None) -> "BasePredictor":
    """Load a trained model, or one that was exported.

    Args:
        folder: the `model` folder of a run, or the run's folder; or the folder that `equipoise export` wrote, or the
            `model.onnx` in it, which needs no torch.
        device: where it computes, such as "cpu" or "cuda:1"; by default see `equipoise.devices.choose_device`. An
            exported model computes on the CPU.

    Raises:
        ModelError: there is no model, or a file of it is damaged.
        UsageError: the folder is no path, there is no such device, or a package is missing that the model needs.

    Examples:
        >>> import equipoise
        >>> model = equipoise.load("runs/reviews")
        >>> answers = model.predict(["Fast delivery, poor fit.", "I love it."])
        >>> sorted(answers[0])
        ['stars', 'text', 'topic']
    """
    path = checked_path("load()", folder, "give the folder of a model, as text")
    is_export = (path / _MARK).is_file() or (path.suffix == ".onnx" and (path.parent / _MARK).is_file())
    try:
        if is_export:
            from equipoise.onnx import load_onnx

            return load_onnx(path, device)
        from equipoise.modeling import load as load_torch

        return load_torch(path, device)
    except ModuleNotFoundError as error:
        raise _explain(path, error, is_export) from error


def _explain(path: Path, error: ModuleNotFoundError, is_export: bool) -> UsageError:
    package = (error.name or "").partition(".")[0]
    if is_export:
        return UsageError(f"{path}: an exported model needs the package {package}, which is missing; install it.")
    return UsageError(
        f"{path}: a model that was not exported needs the package {package}, which is missing; install equipoise with "
        "its dependencies, or export the model where they are (equipoise export) and copy what that writes."
    )
