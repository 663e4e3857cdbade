"""The dynamic adaptive loss: task weights from task gradients, and optional example weights from the labels."""

from collections.abc import Collection, Mapping, Sequence

import torch
from torch import Tensor

from equipoise.checks import checked_number
from equipoise.errors import did_you_mean

from .base import DEFAULT_CLIP, Balancer, Rescaling
from .example_weights import OTHER_KINDS, WEIGHTED_KINDS, LabelStats, example_weight_table
from .input_checks import check_names
from .remaining_loss import RemainingLoss
from .task_gradients import Needs

_WINDOW = 10_000
"""How many of a task's last labels count where no statistics are given."""
_PROGRESS = 1.0
"""α where there are more than two tasks."""


class DynamicAdaptiveLoss(Balancer):
    r"""Weigh tasks by their gradients in every step, and optionally examples by their labels (arXiv 2408.11856).

        L = Σ_t λ_t L_t,    L_t = (1 / n_t) Σ_i e_ti l_ti,    λ_t ∝ r_t^α / |g_t|,    Σ_t λ_t = T

    - l_ti is the loss of task t on its i-th labeled example, n_t the number of these;
    - e_ti is 1 or, with `example_weights`, by the effective number of the example's class (Cui et al., 2019,
      arXiv 1901.05555) or the smoothed density of its score (Yang et al., 2021, arXiv 2102.09554); see
      `example_weight_table`;
    - g_t is the gradient of L_t at the virtual shared map; see `feature_gradients`;
    - r_t, in (0, 1], is the moving average of L_t over the mean of its first ten values, and α is `progress`: 0 for two
      tasks, as in the paper, and 1 for more (our design);
    - T is the number of tasks present.

    With α = 0 all tasks pull equally hard at what they share, whatever the units of their losses. A task that is nearly
    solved has next to no gradient, and would take all the weight: its norm counts as `floor` times its own mean so
    far at least, and with α > 0 it counts by what it has left to learn (both are our design; scaling a loss still
    changes nothing). With α = 1 a task pulls in proportion to r_t. Where a task has had a negative loss, r_t is 1.

    Deviations from the paper: it has two tasks, λ_1 = |g_2| / (|g_1| + |g_2|); λ_t ∝ 1 / |g_t| is the same up
    to scale and extends it to more (our design), and the sum keeps the learning rate comparable to equal
    weights. The paper's example weights, and where its gradients are taken, are not public: both are our
    design. Example weights are off by default, since they raise the error of scores (docs/experiments.md).

    Inputs: `features`, unless `task_weights` is off; with example weights per-example losses and `targets` of the
    tasks to weigh, which have the kind classification or regression.

    Relations: for two tasks, with |cos(g_1, g_2)| < 0.99 and α = 0, λ is IMTL-G's up to scale (Liu et al., ICLR 2021).
    Without task weights and example weights it is `EqualWeights`.

    Args:
        tasks: the tasks' names, or a mapping from name to kind.
        label_stats: per task the label statistics of the training split (`LabelStats.fit`). For a task without them
            its last 10,000 labels count; of several processes, each counts its own, so that example weights differ
            between them: give the statistics there.
        task_weights: whether to compute λ; else it is 1.
        example_weights: whether to compute e, or the tasks for which to; else, as by default, it is 1.
        beta: how much rare classes are lifted, in [0, 1): 0 not at all, towards 1 by inverse frequency.
        temper: how much rare scores are lifted, in [0, 1]: 0 not at all, 1 by inverse density.
        limit: the largest example weight, at least 1, which is the mean.
        smoothing: β in [0, 1) of the moving average of |g_t| over steps that takes its place in λ (our design); 0, as
            by default, is none: each step's own norms.
        floor: in [0, 1]; a gradient norm counts as this share of the task's mean norm so far, or more.
        progress: α, 0 or more: how much a task's weight falls with what it has left to learn; 0 is the paper's rule.
            None is 0 for two tasks and 1 for more.
        clip: the smallest and the largest task weight.
        where: where gradients are taken: "map", "features" or "parameters".

    Raises:
        ValueError: If an option is outside its range, or names a task or a kind that does not exist.

    Examples:
        >>> import torch
        >>> from equipoise.balancing import DynamicAdaptiveLoss
        >>> h = torch.tensor([[1.0, 0.0], [0.0, 1.0]], requires_grad=True)
        >>> balance = DynamicAdaptiveLoss(["score", "polarity"])
        >>> loss = balance({"score": h[:, 0], "polarity": 3.0 * h[:, 1]}, features=h)
        >>> loss.backward()
        >>> balance.weights
        {'score': 1.5, 'polarity': 0.5}
    """

    needs: Needs = "gramian"
    rescaling: Rescaling | None = "compensates"
    paper = "arXiv 2408.11856; example weights and more than two tasks: our design"

    def __init__(
        self,
        tasks: Mapping[str, str] | Sequence[str],
        *,
        label_stats: Mapping[str, LabelStats] | None = None,
        task_weights: bool = True,
        example_weights: bool | Collection[str] = False,
        beta: float = 0.999,
        temper: float = 0.5,
        limit: float = 10.0,
        smoothing: float = 0.0,
        floor: float = 0.1,
        progress: float | None = None,
        clip: tuple[float, float] = DEFAULT_CLIP,
        where: str = "map",
    ) -> None:
        if not isinstance(task_weights, bool):
            raise ValueError(f"`task_weights` must be true or false. Found {task_weights!r}.")
        self.needs = "gramian" if task_weights else "losses"
        self.rescaling = "compensates" if task_weights else "ignores"
        super().__init__(tasks, clip=clip, where=where)
        for task, kind in self.tasks.items():
            if kind not in (*WEIGHTED_KINDS, *OTHER_KINDS):
                raise ValueError(f"Task '{task}' has the unknown kind '{kind}'. {did_you_mean(kind, WEIGHTED_KINDS)}")
        self._options = {
            "beta": checked_number("beta", beta, lambda value: 0 <= value < 1, "in [0, 1)"),
            "temper": checked_number("temper", temper, lambda value: 0 <= value <= 1, "in [0, 1]"),
            "limit": checked_number("limit", limit, lambda value: value >= 1, "at least 1"),
        }
        self._weighted = self._weighted_tasks(example_weights)
        check_names(self.tasks, label_stats=label_stats)
        for task, stats in (label_stats or {}).items():
            if stats.kind != self.tasks[task]:
                raise ValueError(
                    f"Task '{task}' is of kind '{self.tasks[task]}', its label statistics are of '{stats.kind}'."
                )
        self._tables = {task: self._table(stats) for task, stats in (label_stats or {}).items()}
        self._floor = checked_number("floor", floor, lambda value: 0 <= value <= 1, "in [0, 1]")
        self._smoothing = checked_number("smoothing", smoothing, lambda value: 0 <= value < 1, "in [0, 1)")
        if progress is None:
            progress = 0.0 if len(self.tasks) <= 2 else _PROGRESS
        self._exponent = checked_number("progress", progress, lambda value: value >= 0, "0 or more")
        self._remaining = RemainingLoss(len(self.tasks)) if self._exponent else None
        self._labels: dict[str, Tensor] = {}
        self._norms = torch.zeros(len(self.tasks), 3, dtype=torch.float64)
        """Per task the sum of its gradient norms, how many they are, and their moving average before its correction."""

    def compute_weights(self, losses: Tensor, gradients: Tensor | None, tasks: Sequence[str]) -> Tensor:
        """Return r_t^α / max(|g_t|, floor · the task's usual |g_t|), the first |g_t| smoothed."""
        if gradients is None:
            return torch.ones_like(losses)
        norms = gradients.diagonal().sqrt()
        rows = self._indices(tasks)
        self._norms = self._norms.clone()
        self._norms[rows, :2] += torch.stack([norms, torch.ones_like(norms)], dim=1)
        self._norms[rows, 2] = self._smoothing * self._norms[rows, 2] + (1 - self._smoothing) * norms
        total, count, moving = self._norms[rows].unbind(dim=1)
        # As if the average had begun with its first value (Kingma & Ba, 2015).
        smoothed = moving / (1 - self._smoothing**count)
        weights = 1 / smoothed.maximum(self._floor * total / count)
        if self._remaining is None:
            return weights
        self._remaining.record(rows, losses)
        return weights * self._remaining.left(rows) ** self._exponent

    def weigh_examples(self, task: str, targets: Tensor) -> Tensor | None:
        """Return e, from the label statistics or else from the task's last labels, these included."""
        if task not in self._weighted:
            return None
        kind = self._weighted[task]
        if targets.dim() != 1 or (kind == "classification" and targets.is_floating_point()):
            raise ValueError(
                f"targets['{task}'] are {targets.dtype} of shape {tuple(targets.shape)}; expected "
                f"{'class indices, integers' if kind == 'classification' else 'scores'} of shape (n,)."
            )
        if kind == "classification" and len(targets) and targets.min() < 0:
            raise ValueError(f"targets['{task}'] has a class below 0; leave rows without a label out of every entry.")
        if task not in self._tables and self._learning:
            self._count(task, targets.detach().cpu())
        if task in self._tables:
            stats, table = self._tables[task]
        elif task in self._labels:
            stats, table = self._table(LabelStats.fit(kind, self._labels[task]))
        else:
            return None
        return table.to(targets.device)[stats.index(targets)]

    def _count(self, task: str, targets: Tensor) -> None:
        """Add labels to the task's last ones."""
        if targets.is_floating_point() and not targets.isfinite().all():
            raise ValueError(f"targets['{task}']: the labels of a regression must be finite numbers.")
        self._labels[task] = torch.cat([self._labels.get(task, targets[:0]), targets])[-_WINDOW:]

    def _weighted_tasks(self, chosen: bool | Collection[str]) -> dict[str, str]:
        """Return the tasks to weigh the examples of, with their kinds."""
        if isinstance(chosen, str) or not isinstance(chosen, bool | Collection):
            raise ValueError(f"`example_weights` must be true, false or a list of tasks. Found {chosen!r}.")
        if isinstance(chosen, bool):
            chosen = self.tasks if chosen else ()
        check_names(self.tasks, example_weights=chosen)
        return {task: kind for task, kind in self.tasks.items() if task in chosen and kind in WEIGHTED_KINDS}

    def _table(self, stats: LabelStats) -> tuple[LabelStats, Tensor]:
        return stats, example_weight_table(stats, **self._options).float()

    def _get_state(self) -> dict[str, Tensor]:
        return (
            super()._get_state()
            | {"norms": self._norms}
            | (self._remaining.state() if self._remaining else {})
            | {f"labels.{task}": labels for task, labels in self._labels.items()}
        )

    def _set_state(self, state: dict[str, Tensor]) -> None:
        super()._set_state(state)
        self._norms = state["norms"]
        if self._remaining:
            self._remaining.load(state)
        self._labels = {
            name.removeprefix("labels."): labels for name, labels in state.items() if name.startswith("labels.")
        }
