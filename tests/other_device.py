"""Another device than the CPU: a GPU, or a stand-in for machines that have none.

The stand-in holds values and refuses tensors of the CPU, as a GPU does. Its tensors call themselves "meta" and keep
their values on the CPU. Whatever mixes them with tensors of the CPU raises what CUDA raises; also what CUDA allows is
allowed: a number of the CPU (0 dimensions) beside a tensor, an index of the CPU, and copies.
"""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes, return_and_correct_aliasing
from torch.utils._pytree import tree_flatten, tree_map
from transformers import PreTrainedModel

from equipoise import devices
from equipoise.modeling import inference

DEVICE = torch.device("meta")
_aten = torch.ops.aten
_MIXED = {_aten.copy_.default, _aten._to_copy.default}
_INDEXED = {_aten.index.Tensor, _aten.index_put.default, _aten.index_put_.default}
_ONE_PLACE = {_aten.cat.default, _aten.stack.default, _aten.index_add.default, _aten.mm.default, _aten.mv.default}


class _Tensor(torch.Tensor):
    """A tensor of the other device."""

    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, inner: torch.Tensor) -> "_Tensor":
        return torch.Tensor._make_wrapper_subclass(
            cls,
            inner.size(),
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device=DEVICE,
        )

    def __init__(self, inner: torch.Tensor) -> None:
        self.inner = inner

    def __repr__(self) -> str:  # type: ignore[override]
        return f"other({self.inner})"

    def tolist(self) -> Any:
        return self.inner.tolist()

    def numpy(self, *args: Any, **options: Any) -> Any:
        raise TypeError("can't convert other device type tensor to numpy. Use Tensor.cpu() first.")

    def __getitem__(self, index: Any) -> torch.Tensor:
        return super().__getitem__(_as_tensors(index))

    def __setitem__(self, index: Any, value: Any) -> None:
        super().__setitem__(_as_tensors(index), value)

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


def _as_tensors(index: Any) -> Any:
    """Turn lists into tensors of the CPU: on a "meta" device torch would leave their values out."""
    if isinstance(index, tuple):
        return tuple(_as_tensors(part) for part in index)
    return torch.tensor(index) if isinstance(index, list) else index


def _run(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    tensors = [value for value in tree_flatten((args, kwargs))[0] if isinstance(value, torch.Tensor)]
    if func in _INDEXED:
        # Indices may lie on the CPU.
        tensors = [args[0], *args[2:3]]
    there = [value for value in tensors if isinstance(value, _Tensor)]
    here = [value for value in tensors if not isinstance(value, _Tensor)]
    if there and func not in _MIXED and any(value.dim() or func in _ONE_PLACE for value in here):
        raise RuntimeError(f"Expected all tensors to be on the same device, {func} got the other device and cpu.")
    asked = kwargs.get("device")
    if func is _aten.copy_.default:
        on_other = isinstance(args[0], _Tensor)
    elif func in _INDEXED:
        on_other = isinstance(args[0], _Tensor)
        if not on_other and any(isinstance(index, _Tensor) for index in args[1]):
            raise RuntimeError("indices should be either on cpu or on the same device as the indexed tensor (cpu)")
    else:
        on_other = bool(there) if asked is None else torch.device(asked) == DEVICE
    options = dict(kwargs)
    if asked is not None:
        options["device"] = torch.device("cpu")
    inner_args, inner_options = tree_map(
        lambda value: value.inner if isinstance(value, _Tensor) else value, (args, options)
    )
    if func is _aten._to_copy.default and asked is not None:
        # Another device is another tensor, be it for the same values.
        inner_options.pop("device")
    result = func(*inner_args, **inner_options)
    if not on_other:
        return result
    wrapped = tree_map(lambda value: _Tensor(value) if isinstance(value, torch.Tensor) else value, result)
    return return_and_correct_aliasing(func, args, kwargs, wrapped) if there else wrapped


def _inner(value: Any) -> Any:
    return value.inner if isinstance(value, _Tensor) else value


class _Mode(TorchDispatchMode):
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        # In inference mode, operations that consist of others come here whole.
        with self:
            parts = func.decompose(*args, **(kwargs or {}))
        return _run(func, args, kwargs or {}) if parts is NotImplemented else parts


@contextmanager
def gpu() -> Iterator[torch.device]:
    """Give the GPU, as it is named by the tensors on it."""
    kind = torch.accelerator.current_accelerator()
    assert kind is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(devices.VARIABLE, kind.type)
        yield torch.device(kind.type, torch.accelerator.current_device_index())


@contextmanager
def other_device() -> Iterator[torch.device]:
    """Give a device on which mixing with the CPU is refused; whatever asks for a device gets it."""
    with pytest.MonkeyPatch.context() as patch:
        _load_as_ever(patch)
        # On a "meta" device these would leave the values out.
        for name in ("tensor", "as_tensor"):
            patch.setattr(torch, name, _filled(getattr(torch, name)))
        # Where inference mode has no view of such a tensor, no_grad has one.
        patch.setattr(torch, "inference_mode", torch.no_grad)
        patch.setattr(inference, "generate", torch.no_grad()(inspect.unwrap(inference.generate)))
        # There is no autocast of its own: that of the CPU stands for it.
        for name in ("autocast", "is_autocast_enabled", "get_autocast_dtype"):
            patch.setattr(torch, name, _as_on_cpu(getattr(torch, name)))
        _choose(patch)
        with _Mode():
            yield DEVICE


def _load_as_ever(patch: pytest.MonkeyPatch) -> None:
    """Take the device away while a model is loaded: transformers has a use of its own for "meta"."""
    tensor, as_tensor, load = torch.tensor, torch.as_tensor, inspect.unwrap(PreTrainedModel.from_pretrained.__func__)  # type: ignore[attr-defined]

    def from_pretrained(cls: Any, *args: Any, **options: Any) -> Any:
        with _disable_current_modes(), pytest.MonkeyPatch.context() as inner:
            inner.setattr(torch, "tensor", tensor)
            inner.setattr(torch, "as_tensor", as_tensor)
            return load(cls, *args, **options)

    patch.setattr(PreTrainedModel, "from_pretrained", classmethod(from_pretrained))


def _choose(patch: pytest.MonkeyPatch) -> None:
    """Let us and accelerate compute on the device, and AdamW, too."""
    patch.delenv(devices.VARIABLE, raising=False)
    patch.setenv("ACCELERATE_TORCH_DEVICE", DEVICE.type)
    patch.setattr(devices, "_accelerator", lambda: DEVICE)
    patch.setattr(devices, "_try", lambda device: None)
    get_module, make = torch.get_device_module, torch.optim.AdamW.__init__
    module = SimpleNamespace(
        get_rng_state=torch.get_rng_state, set_rng_state=torch.set_rng_state, device_count=lambda: 1
    )
    patch.setattr(
        torch, "get_device_module", lambda device: module if torch.device(device) == DEVICE else get_module(device)
    )

    def unfused(self: Any, *args: Any, fused: bool | None = None, **options: Any) -> None:
        make(self, *args, **options)

    patch.setattr(torch.optim.AdamW, "__init__", unfused)


def _filled(make: Any) -> Any:
    def filled(*args: Any, device: Any = None, **options: Any) -> torch.Tensor:
        made = make(*args, **options)
        return made if device is None else made.to(device)

    return filled


def _as_on_cpu(function: Any) -> Any:
    def called(device_type: str, *args: Any, **options: Any) -> Any:
        return function("cpu" if device_type == DEVICE.type else device_type, *args, **options)

    return called
