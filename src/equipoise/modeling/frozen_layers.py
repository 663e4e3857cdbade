"""The lowest layers, where nothing changes them: computed once a row."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from .backbone import find_layers
from .features import places_before
from .model import MultiTaskModel


class _EnoughError(Exception):
    """Ends a forward pass whose upper layers nobody needs."""


class FrozenLayers:
    """What the lowest layers of a model make of each row, kept in memory.

    Their output on a row depends on nothing but the row, so it is computed when the row is met first, alone and without
    dropout, and put before the layers above it ever after. Our design; layers frozen from below are those that least
    need training (Lee et al., 2019, arXiv 1911.03090).

    Args:
        model: the model; its lowest layers and word embeddings must not change as long as this is used.
        count: how many layers, from below; with 0 nothing stands in.
        room: how many gigabytes (2³⁰ bytes) may be kept; rows that find no room are computed again in every batch.

    Raises:
        ModelError: see `find_layers`.
    """

    def __init__(self, model: MultiTaskModel, count: int, room: float) -> None:
        self._model = model
        self._layers = find_layers(model.backbone, count)[1] if count else []
        self._room = room * 2**30
        self._kept: dict[bytes, Tensor] = {}
        self._wrapped: list[bool] = [False] * count
        # Of the batch that is being computed: the rows whose states are missing, or the states of all rows.
        self._computing = False
        self._output: Tensor | None = None
        self._states: Tensor | None = None

    @contextmanager
    def cached(self) -> Iterator[None]:
        """Let what is kept stand in for the layers, in every forward pass of the model."""
        if not self._layers:
            yield
            return
        forwards = [layer.forward for layer in self._layers]
        hooks = [
            self._model.register_forward_pre_hook(self._prepare, with_kwargs=True),
            self._model.register_forward_hook(self._forget, always_call=True),
        ]
        try:
            for number, layer in enumerate(self._layers):
                layer.forward = partial(self._forward, number, layer.forward)
            yield
        finally:
            for layer, forward in zip(self._layers, forwards, strict=True):
                layer.forward = forward
            for hook in hooks:
                hook.remove()

    def _prepare(self, model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Look up the rows of a batch, and compute those that are missing."""
        inputs = kwargs["inputs"] if "inputs" in kwargs else args[0]
        if self._computing or self._model.prefix is not None or self._model.tokenizer.padding_side != "right":
            return
        if "ends" in inputs:
            if self._model.unpacks(inputs):
                return
            real = places_before(inputs["length"], inputs["input_ids"].shape[1])
        else:
            real = inputs["attention_mask"].bool()
        keys = self._keys(inputs, real)
        states = {key: self._kept[key] for key in keys if key in self._kept}
        missing = [row for row, key in enumerate(keys) if key not in states]
        if missing:
            output = self._compute({name: tensor[missing] for name, tensor in inputs.items()})
            for row, found in zip(missing, output, strict=True):
                states[keys[row]] = self._keep(keys[row], found[real[row]])
        some = states[keys[0]]
        self._states = torch.zeros((*real.shape, some.shape[-1]), dtype=some.dtype, device=real.device)
        # What is kept lies on the CPU, what has found no room where it was computed: one copy each.
        rows_on: dict[torch.device, list[int]] = {}
        for row, key in enumerate(keys):
            rows_on.setdefault(states[key].device, []).append(row)
        for rows in rows_on.values():
            places = (
                real
                if len(rows) == len(keys)
                else torch.zeros_like(real).index_copy_(0, torch.tensor(rows, device=real.device), real[rows])
            )
            self._states[places] = torch.cat([states[keys[row]] for row in rows]).to(real.device)

    def _compute(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return what the layers make of rows, rows × tokens × width."""
        was_training, self._computing = self._model.training, True
        self._model.eval()
        try:
            with torch.no_grad():
                self._model(inputs)
        except _EnoughError:
            pass
        finally:
            self._computing = False
            self._model.train(was_training)
        output, self._output = self._output, None
        assert output is not None  # the last of the layers has left it there
        return output

    def _keep(self, key: bytes, states: Tensor) -> Tensor:
        size = states.numel() * states.element_size()
        if size <= self._room:
            self._room -= size
            # A copy: a view would keep the whole batch.
            states = self._kept[key] = states.to("cpu", copy=True)
        return states

    def _forward(self, number: int, forward: Callable[..., Any], hidden: Tensor, *args: Any, **kwargs: Any) -> Any:
        """Stand in for one layer's forward pass."""
        last = number == len(self._layers) - 1
        if self._states is not None:
            output = self._states if last else hidden
            return (output,) if self._wrapped[number] else output
        output = forward(hidden, *args, **kwargs)
        if self._computing:
            self._wrapped[number] = not isinstance(output, Tensor)
            if last:
                self._output = output if isinstance(output, Tensor) else output[0]
                raise _EnoughError
        return output

    def _forget(self, *args: Any) -> None:
        if not self._computing:
            self._states = None

    def _keys(self, inputs: Mapping[str, Tensor], real: Tensor) -> list[bytes]:
        """Name rows by what decides their states: their tokens, and the precision."""
        device = real.device.type
        precision = str(torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None).encode()
        names = sorted(set(inputs) - {"attention_mask", "length", "text_length"})
        # One copy from the device each.
        columns = [inputs[name].cpu() for name in names]
        return [
            b"|".join([precision, *(column[row][kept].numpy().tobytes() for column in columns)])
            for row, kept in enumerate(real.cpu())
        ]
