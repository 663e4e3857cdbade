"""Loading a model, whatever computes: torch, or onnxruntime."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from equipoise.checks import checked_path
from equipoise.errors import UsageError

if TYPE_CHECKING:
    from equipoise.predicting import BasePredictor

_MARK = "onnx.json"


def load(folder: str | Path, device: Any = None, precision: str = "fp32") -> "BasePredictor":
    """Load a trained model, or one that was exported.

    Args:
        folder: the `model` folder of a run, or the run's folder; or the folder that `equipoise export` wrote, or the
            `model.onnx` in it, which needs no torch.
        device: where it computes, such as "cpu" or "cuda:1"; by default see `equipoise.devices.choose_device`. An
            exported model computes on the CPU.
        precision: in what the backbone computes: "fp32"; "bf16", faster where the device has it; on a GPU also "fp16".
            How much that changes is in `BasePredictor.rounding`. An exported model computes as it was exported.

    Raises:
        ModelError: there is no model, or a file of it is damaged.
        UsageError: the folder is no path, there is no such device, it does not compute in that precision, or a package
            is missing that the model needs.

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

            if precision != "fp32":
                raise UsageError(
                    f"precision: found {precision!r}, but {path} is an exported model, which computes as it was "
                    "exported; leave it out (`equipoise export --int8` makes a faster one)."
                )
            return load_onnx(path, device)
        from equipoise.modeling import load as load_torch

        return load_torch(path, device, precision)
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
