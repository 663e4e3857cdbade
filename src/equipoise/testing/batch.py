"""Small batches to check balancers with."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import torch
from torch import Tensor

from equipoise.balancing import Balancer

Make = Callable[[Mapping[str, str]], Balancer]

STEPS = 4
"""Two epochs of two steps: rules that compare epochs need that many."""
TASKS = {"score": "regression", "polarity": "classification", "anger": "regression"}
_ROWS = range(12)
LABELLED: dict[str, Sequence[int]] = {task: _ROWS[start:] for start, task in enumerate(TASKS)}
"""Each task labels other rows."""
_SCALES = {"score": 10.0, "polarity": 1.0, "anger": 0.1}
"""The losses lie far apart."""


class Batch:
    """A small batch with its own model: 12 rows, a backbone, one linear head per task.

    Args:
        seed: of its inputs, labels and model.
        rows: the part of the rows that it has; inputs, labels and model are those of the whole batch.
        labelled: per task the rows of the whole batch that have a label.
        scales: per task a factor of its losses.
    """

    def __init__(
        self,
        seed: int,
        *,
        rows: range = _ROWS,
        labelled: Mapping[str, Sequence[int]] = LABELLED,
        scales: Mapping[str, float] = _SCALES,
    ) -> None:
        random = torch.Generator().manual_seed(seed)
        inputs, backbone = torch.randn(12, 5, generator=random), torch.randn(5, 6, generator=random)
        self.backbone = backbone.requires_grad_()
        self.modules = {
            task: torch.randn(6, 3 if kind == "classification" else 1, generator=random).requires_grad_()
            for task, kind in TASKS.items()
        }
        self._inputs, self._scales = inputs[rows.start : rows.stop], scales
        chosen = {task: [row for row in labelled[task] if row in rows] for task in TASKS}
        self.rows = {task: torch.tensor(ids, dtype=torch.long) - rows.start for task, ids in chosen.items()}
        self.targets: dict[str, Tensor] = {}
        for task, kind in TASKS.items():
            classes, scores = torch.randint(3, (12,), generator=random), torch.randn(12, generator=random)
            self.targets[task] = (classes if kind == "classification" else scores)[chosen[task]]
        self.features, self.losses = self._forward(self.backbone)

    def _forward(self, backbone: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Compute the features, and per task the losses of its labelled rows."""
        features, losses = torch.tanh(self._inputs @ backbone), {}
        for task, kind in TASKS.items():
            output, targets = features[self.rows[task]] @ self.modules[task], self.targets[task]
            if kind == "classification":
                loss = torch.nn.functional.cross_entropy(output, targets, reduction="none")
            else:
                loss = (output.squeeze(1) - targets).square()
            losses[task] = self._scales[task] * loss
        return features, losses

    def balance(
        self,
        balancer: Balancer,
        losses: Mapping[str, Tensor] | None = None,
        *,
        counts: Mapping[str, float] | None = None,
        targets: bool = True,
    ) -> Tensor:
        """Call a balancer with these losses, or other ones of the same tasks."""
        losses = self.losses if losses is None else losses
        labelled = [task for task in losses if losses[task].dim() == 1 and losses[task].numel()]
        return balancer(
            losses,
            features=self.features,
            parameters=[self.backbone],
            targets={task: self.targets[task] for task in labelled} if targets else None,
            rows={task: self.rows[task] for task in labelled},
            counts=counts,
        )

    def close(self, balancer: Balancer, *, skipped: bool = False) -> None:
        """Close the balancer's step as though it had shrunk the backbone."""

        def recompute() -> dict[str, Tensor]:
            losses = self._forward(0.9 * self.backbone)[1]
            return {task: losses[task] for task in balancer.tasks}

        balancer.after_step(recompute, skipped=skipped)


def run(balancer: Balancer, batches: Iterable[Batch]) -> Iterator[tuple[Batch, Tensor]]:
    """Take a step on each batch, two to an epoch, yielding the batch and its scalar amid the step."""
    for step, batch in enumerate(batches):
        yield batch, batch.balance(balancer)
        batch.close(balancer)
        if step % 2:
            balancer.on_epoch_end()


def history(balancer: Balancer, batches: Iterable[Batch]) -> list[dict[str, float]]:
    """Take a step on each batch and return the weights."""
    return [balancer.weights for _ in run(balancer, batches)]


def batches(start: int = 0, scales: Mapping[str, float] = _SCALES) -> Iterator[Batch]:
    """Make a few batches."""
    return (Batch(seed, scales=scales) for seed in range(start, start + STEPS))


def check_sum(weights: Mapping[str, float], present: int, situation: str) -> None:
    """Check that weights are finite, not negative, and sum to the number of tasks present."""
    assert set(weights) == set(TASKS), f"{situation}, `weights` has the tasks {list(weights)}, not {list(TASKS)}."
    assert all(math.isfinite(weight) and weight >= 0 for weight in weights.values()), (
        f"{situation}, the weights {weights} are not all finite and non-negative."
    )
    total = sum(weights.values())
    assert math.isclose(total, present, rel_tol=1e-6), (
        f"{situation}, the weights {weights} sum to {total:g}, not to {present}, the number of tasks present."
    )


def check_close(
    found: Mapping[str, float], expected: Mapping[str, float], situation: str, *, tolerance: float = 1e-4
) -> None:
    """Check that weights are those expected."""
    assert all(
        math.isclose(found[task], weight, rel_tol=tolerance, abs_tol=tolerance / 100)
        for task, weight in expected.items()
    ), f"{situation}: {dict(found)} against {dict(expected)}."
