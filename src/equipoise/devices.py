"""Which device everything computes on."""

import os

import torch

from equipoise.errors import UsageError, first_line

VARIABLE = "EQUIPOISE_DEVICE"
"""The environment variable that names the device; the option `--device` sets it."""
_VISIBLE = "CUDA_VISIBLE_DEVICES"
_TRUE = ("1", "true", "yes", "on", "y", "t")


def choose_device(asked: str | torch.device | None = None) -> torch.device:
    """Return the device to compute on; whatever computes asks here.

    Args:
        asked: "cpu", "cuda", "cuda:1", "mps" …. By default what `EQUIPOISE_DEVICE` names, the CPU where processes were
            started for it (`accelerate launch --cpu`), the accelerator if one can be used, or else the CPU.

    Raises:
        UsageError: there is no such device, or it cannot be used.
    """
    asked = asked or os.environ.get(VARIABLE) or None
    if asked is None:
        on_cpu = os.environ.get("ACCELERATE_USE_CPU", "").lower() in _TRUE
        device = torch.device("cpu") if on_cpu else _accelerator() or torch.device("cpu")
    else:
        device = _checked(asked)
    # One of several processes has a GPU of its own, which is not the first one.
    if device.type != "cpu" and _count_processes() == 1:
        _try(device)
    return device


def use_device(asked: str) -> None:
    """Compute on a device from here on, in this process and in those that it starts.

    Args:
        asked: "cpu", "cuda", "cuda:1", "mps" …. Of several GPUs one is chosen by hiding the others, so that every
            library agrees: call this before anything is computed.

    Raises:
        UsageError: there is no such device, or it cannot be used; or a GPU's number is given after a GPU was used, or
            to several processes, each of which takes its own.

    Examples:
        >>> import equipoise
        >>> equipoise.use_device("cuda:1")  # doctest: +SKIP
    """
    kind, _, number = asked.partition(":")
    if kind == "cuda" and number.isdecimal():
        if torch.cuda.is_initialized():
            raise UsageError(
                f"device '{asked}': this process computes on a GPU already, and cannot hide others; choose it before."
            )
        if _count_processes() > 1:
            raise UsageError(f"device '{asked}': each of several processes takes a GPU of its own; give 'cuda'.")
        visible = os.environ.get(_VISIBLE)
        names = [number] if visible is None else visible.split(",")[int(number) :]
        if not names or not names[0]:
            raise UsageError(f"device '{asked}': found {_VISIBLE}={visible}, which has no GPU of that number.")
        os.environ[_VISIBLE] = names[0]
        try:
            choose_device(kind)
        except UsageError as error:
            raise UsageError(str(error).replace(f"device '{kind}'", f"device '{asked}'", 1)) from None
        asked = kind
    choose_device(asked)
    os.environ[VARIABLE] = asked


def _count_processes() -> int:
    """How many processes were started together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def _accelerator() -> torch.device | None:
    """Return the accelerator; a build for one names it even where none can be used."""
    return torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None


def _checked(asked: str | torch.device) -> torch.device:
    """Return a device that is there."""
    there = {"cpu": 1}
    if (accelerator := _accelerator()) is not None:
        there[accelerator.type] = torch.get_device_module(accelerator.type).device_count()
    try:
        device = torch.device(asked)
    except RuntimeError:
        device = None
    if device is None or (device.index or 0) >= there.get(device.type, 0):
        names = [name if name == "cpu" else f"{name}:{i}" for name, count in there.items() for i in range(count)]
        raise UsageError(f"device '{asked}': not found here; there is {', '.join(names)}. Choose one of them.")
    return device


def _try(device: torch.device) -> None:
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = first_line(error)[:200]
        raise UsageError(f"device '{device}': cannot be used ({reason}); choose another, such as 'cpu'.") from error
