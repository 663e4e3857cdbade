"""What merging may need to know of each expert's data: its inputs, and what it depends on."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor, nn

from equipoise.data import FlatRows, RowBatch
from equipoise.errors import UsageError
from equipoise.modeling import MultiTaskModel, evaluating, make_batch
from equipoise.progress import Progress

from .base import Base
from .distributions import answer, check_on, has_distribution, log_probabilities

LARGEST_SUM = 32
"""Over how many answers an expectation is taken exactly; of more one is drawn."""


@dataclass(frozen=True)
class RowSample:
    """Which rows are read, and how.

    Args:
        limit: how many rows are read; of more these are drawn.
        seed: of the draw.
        batch_size: rows in a batch; changes the speed, not the result (up to rounding).
    """

    limit: int = 256
    seed: int = 0
    batch_size: int = 16

    def draw(self, rows: Dataset) -> Dataset:
        """Return the rows to read, in their order."""
        return rows.select(np.sort(np.random.default_rng(self.seed).permutation(len(rows))[: self.limit]))


def input_grams(
    base: Base,
    model: MultiTaskModel,
    task: str,
    rows: Dataset,
    *,
    tensors: Collection[str] | None = None,
    sample: RowSample = RowSample(),
    bar: Progress | None = None,
) -> dict[str, Tensor]:
    """Sum up the squares of what linear layers read: the statistics "inputs", for RegMean (arXiv 2212.09849).

        G = Σ x xᵀ over all tokens of all rows

    Padding is left out; of a prompt all tokens count, those of the answers too. Sums are in float64.

    Args:
        base: the base, changed into the expert (`Base.changed`).
        model: the expert's model on the base's backbone; its mode is put back afterwards.
        task: the task whose texts are read.
        rows: rows with the columns "text" and "pair", for text to generate "label:TASK" too.
        tensors: the weights to return, such as those that some expert changed; all of `Base.linear` if None.
        sample: which of the rows are read.
        bar: moved by the rows done.

    Returns:
        By the tensor's name in `Base.tensors`, in × in, float32, on the CPU; zeros where nothing went through.

    Raises:
        UsageError: there is no such task, or there are no rows.
        ModelError: the model is not on the base.
    """
    encoded = _encode(base, model, task, rows, sample)
    chosen = base.linear if tensors is None else base.linear & set(tensors)
    layers = {
        f"{name}.weight": part
        for name, part in base.backbone.named_modules()
        if isinstance(part, nn.Linear) and f"{name}.weight" in chosen
    }
    grams = _Grams(layers)
    with _hooked(layers, grams.add), evaluating(model), torch.inference_mode():
        for start in range(0, len(encoded), sample.batch_size):
            read = encoded.take(range(start, min(start + sample.batch_size, len(encoded))))
            batch = make_batch(model, read, {task: np.arange(len(read))})
            grams.mask = _real_tokens(batch[0], read.lengths("input_ids").tolist())
            model(*batch)
            if bar is not None:
                bar.advance(len(read))
    return {name: gram.float() for name, gram in grams.sums.items()}


class _Grams:
    """Σ x xᵀ of what layers read, in float64 on the CPU; `mask` tells which tokens of the batch are not padding."""

    def __init__(self, layers: Mapping[str, nn.Linear]) -> None:
        self.sums = {
            name: torch.zeros((layer.in_features, layer.in_features), dtype=torch.float64)
            for name, layer in layers.items()
        }
        self.mask = torch.zeros(0, 0, dtype=torch.bool)

    def add(self, name: str, given: Tensor) -> None:
        """Add what a layer reads of a batch."""
        inputs = _without_padding(given, self.mask)
        self.sums[name] += (inputs.mT @ inputs).cpu()


@contextmanager
def _hooked(layers: Mapping[str, nn.Module], read: Callable[[str, Tensor], None]) -> Iterator[None]:
    """Call a function with each layer's name and input whenever the layer reads something."""
    hooks = [
        layer.register_forward_pre_hook(lambda part, given, name=name: read(name, given[0]))
        for name, layer in layers.items()
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _without_padding(inputs: Tensor, mask: Tensor) -> Tensor:
    """Return what a layer reads of tokens that are not padding, tokens × features, float64.

    Some layers read the tokens of all rows in one list, and an output layer reads only those that are scored.
    """
    if inputs.dim() == 3 and inputs.shape[:2] == mask.shape:
        inputs = inputs[mask]
    elif inputs.dim() == 2 and len(inputs) == mask.numel():
        inputs = inputs[mask.flatten()]
    return inputs.detach().flatten(0, -2).double()


def fisher(
    base: Base,
    model: MultiTaskModel,
    task: str,
    rows: Dataset,
    *,
    tensors: Collection[str] | None = None,
    sample: RowSample = RowSample(),
    bar: Progress | None = None,
) -> dict[str, Tensor]:
    r"""Estimate the diagonal of the Fisher information: the statistics "fisher", for Fisher (arXiv 2111.09832).

        F = mean over rows of E_{y ~ p(·|x)} (∂ log p(y|x) / ∂θ)²

    The expectation is over the model's own predictions: exact up to 32 answers, else of one that is drawn (both as in
    the authors' code); for labels it is the sum over them, as they are independent given the text. For scores of the
    format `prompt` answers are the numbers of the grid. A score of a head counts as the mean of a normal
    distribution whose deviation is that of the training labels, so that F = (∂μ/∂θ)² for the standardized score μ (our
    design).
    For text to generate F is empirical: y is the text that the row has.

    Args:
        base: the base, changed into the expert (`Base.changed`).
        model: the expert's model on the base's backbone; its mode is put back afterwards.
        task: the task.
        rows: rows with the columns "text" and "pair", for text to generate "label:TASK" too.
        tensors: the tensors to return, such as those that some expert changed; all of `Base.tensors` if None.
        sample: which of the rows are read; each takes a forward pass, and a backward pass for each answer.
        bar: moved by the rows done.

    Returns:
        By the tensor's name in `Base.tensors`, of its shape, float32, on the CPU; zeros where nothing depends on it.

    Raises:
        UsageError: there is no such task, or there are no rows.
        ModelError: the model is not on the base.
    """
    encoded = _encode(base, model, task, rows, sample)
    chosen = {
        name: parameter
        for name, parameter in base.backbone.named_parameters()
        if tensors is None or name in set(tensors)
    }
    sums = {name: torch.zeros_like(parameter) for name, parameter in chosen.items()}
    generator = torch.Generator().manual_seed(sample.seed)
    with _differentiable(base, chosen), evaluating(model), torch.enable_grad():
        for row in range(len(encoded)):
            for weight, value in _weighed(model, task, encoded.take([row]), generator):
                _add_squares(sums, value, chosen, weight)
            if bar is not None:
                bar.advance()
    return {name: total.div_(len(encoded)).cpu() for name, total in sums.items()}


def _add_squares(sums: Mapping[str, Tensor], value: Tensor, parameters: Mapping[str, Tensor], weight: float) -> None:
    """Add a weight times the squared gradient of a value, in place."""
    gradients = torch.autograd.grad(value, list(parameters.values()), retain_graph=True, allow_unused=True)
    for total, gradient in zip(sums.values(), gradients, strict=True):
        if gradient is not None:
            total.addcmul_(gradient, gradient, value=weight)


@contextmanager
def _differentiable(base: Base, chosen: Collection[str]) -> Iterator[None]:
    """Have these parameters of a base require gradients, and no others, for a while."""
    parameters = dict(base.backbone.named_parameters())
    before = {name: parameter.requires_grad for name, parameter in parameters.items()}
    try:
        for name, parameter in parameters.items():
            parameter.requires_grad_(name in chosen)
        yield
    finally:
        for name, parameter in parameters.items():
            parameter.requires_grad_(before[name])


def _weighed(
    model: MultiTaskModel, task: str, row: RowBatch, generator: torch.Generator
) -> Iterator[tuple[float, Tensor]]:
    """Give what is to be differentiated for a row, and how much its squared gradient counts."""
    if not has_distribution(model.tasks[task]):
        # A standardized score, or the log-probabilities of a text's tokens.
        yield 1.0, answer(model, task, row).float().sum()
        return
    for logs in log_probabilities(model, task, row)[0]:
        weights = logs.detach().exp().cpu()
        if len(weights) > LARGEST_SUM:
            yield 1.0, logs[int(torch.multinomial(weights, 1, generator=generator))]
            continue
        yield from zip(weights.tolist(), logs, strict=True)


def _encode(base: Base, model: MultiTaskModel, task: str, rows: Dataset, sample: RowSample) -> FlatRows:
    """Draw rows and encode them."""
    if task not in model.tasks:
        raise UsageError(f"merge: the model has no task '{task}', expected one of {', '.join(model.tasks)}.")
    if not len(rows):
        raise UsageError(f"merge: found no rows of task '{task}', expected one at least.")
    check_on(base, model)
    rows = sample.draw(rows)
    learning = model.tasks[task].writes_text
    return FlatRows(model.encode_rows(rows, {task: np.arange(len(rows))}, learning=learning, windows=False)[0])


def _real_tokens(inputs: dict[str, Tensor], lengths: list[int]) -> Tensor:
    """Return which tokens of a padded batch are not padding, rows × tokens."""
    if "attention_mask" in inputs:
        return inputs["attention_mask"].bool()
    places = torch.arange(inputs["input_ids"].shape[1], device=inputs["input_ids"].device)
    return places < torch.tensor(lengths, device=places.device)[:, None]
