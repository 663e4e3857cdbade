"""The loss of single rows, and its gradient at the features, projected at random."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from equipoise.data import Collator
from equipoise.modeling import MultiTaskModel, evaluating
from equipoise.progress import Progress
from equipoise.training import PreparedRun

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class RowLosses:
    """What some rows of a task say about a model.

    Args:
        losses: the loss of each row, shape (n,): the mean over what the row is learnt by, such as its tokens.
        gradients: its gradient, projected, shape (n, dimensions); without a projection (n, 0).
    """

    losses: Floats
    gradients: Floats


class MapProjection:
    """A random projection of the gradient of a virtual linear map at the features.

    Tasks of other files share no row, but all read features through the same map (weight I, bias 0; see
    `docs/architecture.md`, our design). With δ the gradient of a row's loss at its features h, the gradient at the map
    is δ [h; 1]ᵀ, one such matrix summed over the vectors that a row has. It is projected from both sides,
    (P δ) ⊗ (Q [h; 1]), with Gaussian P and Q, which keeps inner products on average (Choe et al. 2024,
    arXiv 2405.13954, project layers' gradients this way).

    Args:
        width: width of the features.
        outer, inner: numbers that are left of δ, and of [h; 1].
        seed: seed of P and Q.
    """

    def __init__(self, width: int, outer: int, inner: int, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        self._outer = torch.randn(width, outer, generator=generator) / outer**0.5
        self._inner = torch.randn(width + 1, inner, generator=generator) / inner**0.5
        self.dimensions = outer * inner

    def __call__(self, deltas: Tensor, features: Tensor, owners: Tensor, rows: int) -> Tensor:
        """Return each row's projected gradient, shape (rows, dimensions), float32.

        Args:
            deltas: gradients at the features, shape (m, width).
            features: the features, shape (m, width).
            owners: the row of each feature, shape (m,).
            rows: how many rows there are.
        """
        outer, inner = self._outer.to(deltas.device), self._inner.to(deltas.device)
        left, right = deltas.float() @ outer, features.float() @ inner[:-1] + inner[-1]
        products = torch.einsum("mo,mi->moi", left, right).flatten(1)
        return torch.zeros(rows, self.dimensions, device=products.device).index_add_(0, owners, products)


def measure_rows(
    run: PreparedRun,
    split: str,
    wanted: Mapping[str, Rows],
    projection: MapProjection | None = None,
    bar: Progress | None = None,
) -> dict[str, RowLosses]:
    """Compute the loss of rows under a model, without dropout, and its projected gradient.

    Of a text in windows the first one is read.

    Args:
        run: the run, its model trained.
        split: the split.
        wanted: by task the rows, each with a label of the task.
        projection: projects the gradients; None leaves them out.
        bar: moved by the rows done: for each task its own.

    Returns:
        By task the rows' losses, in the order of `wanted`.
    """
    model, found = run.model, {}
    for task, rows in wanted.items():
        own = {task: np.arange(len(rows))}
        encoded, _ = model.encode_rows(run.table.splits[split].select(rows), own, learning=True, windows=False)
        # Other labels on these rows would only cost time.
        collate = Collator(model.tokenizer, {task: run.table.tasks[task]})
        losses, gradients = np.zeros(len(rows)), np.zeros((len(rows), projection.dimensions if projection else 0))
        size = run.config.train.eval_batch_size
        with evaluating(model), _Captured(model, projection is not None).listening() as captured:
            for start in range(0, len(rows), size):
                chosen = slice(start, min(start + size, len(rows)))
                batch = _moved(collate(encoded.select(range(chosen.start, chosen.stop)).to_list()), model.device)
                of_rows, of_gradients = _measure_batch(model, task, batch, captured, projection)
                losses[chosen] = of_rows
                if projection is not None:
                    gradients[chosen] = of_gradients
                if bar is not None:
                    bar.advance(len(of_rows))
        found[task] = RowLosses(losses, gradients)
    return found


def _measure_batch(
    model: MultiTaskModel, task: str, batch: Mapping[str, Any], captured: "_Captured", projection: MapProjection | None
) -> tuple[Floats, Floats]:
    """Return the losses and projected gradients of a batch's rows."""
    count = len(batch["index"])
    # The backbone builds no graph: the features turn gradients on.
    with torch.no_grad():
        outputs = model(batch["inputs"], batch["rows"], batch["scored"])
        entries = model.losses({task: outputs[task].float()}, {task: batch["targets"][task]})[task]
        owners = batch["rows"][task]
        shares = torch.zeros(count, device=entries.device).index_add_(0, owners, torch.ones_like(entries))
        losses = torch.zeros_like(shares).index_add(0, owners, entries) / shares.clamp(min=1)
        gradients = torch.zeros(count, 0)
        if projection is not None:
            (deltas,) = torch.autograd.grad(losses.sum(), captured.features)
            gradients = projection(deltas, captured.features.detach(), captured.owners, count)
    return losses.detach().cpu().double().numpy(), gradients.cpu().double().numpy()


@dataclass
class _Captured:
    """Catches the features of a forward pass, cut off from the backbone, and the row of each.

    Gradients are wanted at the features, so the backward pass ends there.
    """

    model: MultiTaskModel
    with_gradients: bool
    features: Tensor = field(init=False)
    owners: Tensor = field(init=False)

    @contextmanager
    def listening(self) -> Iterator["_Captured"]:
        """Catch them as long as the block lasts."""
        module = self.model.features
        hook = module.register_forward_hook(self._catch)
        try:
            yield self
        finally:
            hook.remove()

    def _catch(self, module: nn.Module, inputs: tuple[Tensor, Tensor, Tensor], output: Tensor) -> Tensor:
        hidden, _, positions = inputs
        of_tokens = positions // hidden.shape[1]
        pooled = torch.arange(len(output) - len(positions), device=output.device)
        self.owners = torch.cat([pooled, of_tokens])
        self.features = output.detach().requires_grad_(self.with_gradients)
        torch.set_grad_enabled(self.with_gradients)
        return self.features


def _moved(value: Any, device: torch.device) -> Any:
    """Return a batch on a device."""
    if isinstance(value, dict):
        return {name: _moved(part, device) for name, part in value.items()}
    return value.to(device) if isinstance(value, Tensor) else value
