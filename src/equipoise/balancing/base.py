"""The contract of every balancer: per-task losses in, one scalar to back-propagate out."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from equipoise.errors import TrainingError

from .checks import check_entry, check_names, checked_clip
from .clipping import bounded
from .feature_gradients import feature_gradients, map_gradients, map_gramian
from .step_memory import StepMemory

DEFAULT_CLIP = (1e-4, 1e4)
"""Wide enough for losses of very different units: two tasks are brought to one level up to 20,000 : 1."""


class NonFiniteLoss(TrainingError):  # noqa: N818 - it names the finding
    """A task's loss, or its gradient, is NaN or infinite."""


class Balancer(nn.Module, ABC):
    r"""Turn the losses of several tasks into one scalar, Σ_t w_t L_t.

    A rule implements `compute_weights`; everything else is here. The weights are detached numbers, never
    negative, inside `clip`, and sum to the number of tasks present, those with labels in the batch, so that
    the learning rate means the same under every balancer. Absent tasks have weight 0; the scalar still touches
    them (times 0), so distributed training sees every module. Where the rule uses gradients, a task that has
    none at the features is left out of it and has weight 1: it pulls at nothing shared, and its own module may
    still learn.

    Gradients are those of a virtual linear map at the features (see `feature_gradients`, our design).

    Under gradient accumulation (`counts` given) a rule sees the losses and the Gramian of the previous
    optimiser step, since the current ones are known only after the last micro-batch; a task without an
    earlier gradient has weight 1.

    The state (`state_dict`) consists of tensors; a fresh balancer that loads it goes on bit for bit.

    Args:
        tasks: the tasks' names, or a mapping from name to kind (`"classification"`, `"regression"`, …).
        clip: the smallest and the largest weight; 1 lies between them.
    """

    needs_gradients: bool = False
    """Whether the rule needs the Gramian, and the caller has to pass `features`."""

    def __init__(self, tasks: Mapping[str, str] | Sequence[str], *, clip: tuple[float, float] = DEFAULT_CLIP) -> None:
        super().__init__()
        if isinstance(tasks, str) or not tasks or len(set(tasks)) < len(tasks):
            raise ValueError(f"`tasks` must be one or more different names, or name: kind pairs. Found {tasks!r}.")
        self.tasks = dict(tasks) if isinstance(tasks, Mapping) else dict.fromkeys(tasks, "")
        self.clip = checked_clip(clip)
        self._memory = StepMemory(len(self.tasks))
        self._weights: dict[str, float] = {}
        self._losses: dict[str, Tensor] = {}

    @abstractmethod
    def compute_weights(self, losses: Tensor, gramian: Tensor | None, tasks: Sequence[str]) -> Tensor:
        """Compute the weights of P active tasks, up to a common factor.

        Args:
            losses: their losses, detached; float64 on the CPU, shape (P,).
            gramian: inner products of their gradients, shape (P, P), likewise; `None` unless
                `needs_gradients`.
            tasks: their names.

        Returns:
            Shape (P,), finite.
        """

    def weigh_examples(self, task: str, targets: Tensor) -> Tensor | None:
        """Return the weights of a task's examples, shape (n,), or `None` for none (the default)."""
        return None

    def forward(
        self,
        losses: Mapping[str, Tensor],
        *,
        features: Tensor | None = None,
        targets: Mapping[str, Tensor] | None = None,
        rows: Mapping[str, Tensor] | None = None,
        counts: Mapping[str, float] | None = None,
    ) -> Tensor:
        """Return the scalar Σ_t w_t L_t to call `backward` on.

        In evaluation mode (`eval()`), or where gradients are off, the last weights stay, and nothing is learnt or
        remembered.

        Args:
            losses: per task the losses of its labelled examples, shape (n_t,), or one scalar, which is taken
                as it is (no example weights, not divided by `counts`). A missing or empty entry means that
                the task is absent.
            features: the features h that all task modules read, shape (N, d) pooled or (N, S, d) tokens,
                attached to the graph. Needed if `needs_gradients`, else ignored.
            targets: per task the labels, shape (n_t,): scores, or class indices as integers. They are needed
                for example weights only; a task without them has none.
            rows: per task which rows of `features` its entries belong to, shape (n_t,), integers. Autograd
                finds the rows by itself, so this is checked against the losses' shapes and not used
                otherwise.
            counts: per task the number of its labels in the whole accumulated batch: L_t is the sum over this
                micro-batch's examples divided by it. Call `after_step` after every optimiser step then.
                Without `counts` L_t is the mean of this batch.

        Raises:
            ValueError: If a task is unknown, shapes do not match, or `features` is needed and missing or
                unused.
            NonFiniteLoss: If a loss or its gradient is not finite.
        """
        check_names(self.tasks, losses=losses, targets=targets, rows=rows, counts=counts)
        if not losses:
            raise ValueError("`losses` is empty. Pass an entry, which may be an empty tensor, for at least one task.")
        present = [task for task in self.tasks if task in losses and losses[task].numel() > 0]
        for task in present:
            check_entry(task, losses, targets=targets, rows=rows, counts=counts)
        shares = {task: self._task_loss(task, losses[task], targets or {}, counts) for task in present}
        if not self._learning:
            return sum((share * (self._weights.get(task) or 1.0) for task, share in shares.items()), torch.tensor(0.0))
        if not shares:
            weights = {}
        elif counts is None:
            weights = self._weigh_batch(shares, features)
        else:
            weights = self._weigh_micro_batch(shares, features, [t for t in self.tasks if counts.get(t)])
        self._weights = dict.fromkeys(self.tasks, 0.0) | weights
        self._losses = {task: losses[task].detach().mean() for task in present}
        untouched = [0.0 * entry.sum() for entry in losses.values() if entry.numel() == 0]
        return sum([self._weights[task] * share for task, share in shares.items()] + untouched, torch.tensor(0.0))

    @property
    def _learning(self) -> bool:
        """Whether this is a training step, from which to remember something."""
        return self.training and torch.is_grad_enabled()

    @property
    def weights(self) -> dict[str, float]:
        """The task weights of the last call; 0 for absent tasks."""
        return dict(self._weights)

    @property
    def losses(self) -> dict[str, float]:
        """The last call's mean losses of the tasks present, without example weights, for logging."""
        return {task: loss.item() for task, loss in self._losses.items()}

    def after_step(self) -> None:
        """Close an optimiser step: call it after every `optimizer.step()`.

        Only gradient accumulation and balancers with learned parameters need it.
        """
        self._memory.close()

    def on_epoch_end(self) -> None:
        """Close an epoch; does nothing unless a rule needs it."""

    def _task_loss(
        self, task: str, entry: Tensor, targets: Mapping[str, Tensor], counts: Mapping[str, float] | None
    ) -> Tensor:
        """Compute L_t, with example weights, in float32 or better."""
        entry = entry.to(torch.promote_types(entry.dtype, torch.float32))
        if entry.dim() == 0:
            return entry
        weights = self.weigh_examples(task, targets[task]) if task in targets else None
        total = entry.sum() if weights is None else (entry * weights.to(entry)).sum()
        return total / (len(entry) if counts is None else counts[task])

    def _weigh_batch(self, shares: dict[str, Tensor], features: Tensor | None) -> dict[str, float]:
        """Weigh the tasks by this batch."""
        products = map_gramian(*self._differentiate(shares, features)) if self.needs_gradients else None
        losses = _numbers(shares)
        self._memory.reset()
        self._memory.add(self._indices(shares), losses)
        return self._weigh(list(shares), losses, products)

    def _weigh_micro_batch(
        self, shares: dict[str, Tensor], features: Tensor | None, tasks: list[str]
    ) -> dict[str, float]:
        """Weigh the tasks of an accumulated batch by the previous step, and add this part to the open one."""
        gradients = map_gradients(*self._differentiate(shares, features)) if self.needs_gradients else None
        self._memory.add(self._indices(shares), _numbers(shares), gradients)
        indices = self._indices(tasks)
        products = self._memory.previous_gramian[indices][:, indices] if self.needs_gradients else None
        return self._weigh(tasks, self._memory.previous_losses[indices], products)

    def _differentiate(self, shares: dict[str, Tensor], features: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return the task gradients at the features, and the features."""
        if features is None:
            raise ValueError(f"{type(self).__name__} needs gradients: pass `features=`, which all task modules read.")
        return feature_gradients(list(shares.values()), features), features

    def _weigh(self, tasks: list[str], losses: Tensor, products: Tensor | None) -> dict[str, float]:
        """Ask the rule for the weights of the active tasks, and bring them into the contract's form."""
        active = torch.arange(len(tasks))
        if products is not None:
            products = products.cpu()
            _check_finite("gradient", products.diagonal(), tasks)
            active = products.diagonal().nonzero().flatten()
            products = products[active][:, active]
        if len(active) == 0:
            return dict.fromkeys(tasks, 1.0)
        names = [tasks[i] for i in active]
        raw = self.compute_weights(losses[active], products, names)
        if raw.shape != losses[active].shape or not raw.isfinite().all():
            raise ValueError(f"{type(self).__name__}.compute_weights returned {raw} for the tasks {names}.")
        return dict.fromkeys(tasks, 1.0) | dict(zip(names, bounded(raw, *self.clip).tolist(), strict=True))

    def _indices(self, tasks: Iterable[str]) -> list[int]:
        order = list(self.tasks)
        return [order.index(task) for task in tasks]

    def _get_state(self) -> dict[str, Tensor]:
        """Return the state beyond parameters and buffers; a rule with more of it extends both methods."""
        return self._memory.state()

    def _set_state(self, state: dict[str, Tensor]) -> None:
        """Take over what `_get_state` returned."""
        self._memory.load(state)

    # Not buffers: the state stays in float64 on the CPU wherever the module moves, and its shapes vary.
    # Module's two methods for custom state keep it flat, so that safetensors can hold it, which
    # get_extra_state does not.
    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination.update({f"{prefix}state.{name}": value for name, value in self._get_state().items()})

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        own = f"{prefix}state."
        state = {key.removeprefix(own): value.clone() for key, value in state_dict.items() if key.startswith(own)}
        size = len(state.get("losses", ()))
        if size != len(self.tasks):
            raise ValueError(f"The saved state is of {size} tasks, the balancer's are {list(self.tasks)}.")
        self._set_state(state)
        others = {key: value for key, value in state_dict.items() if not key.startswith(own)}
        super()._load_from_state_dict(others, prefix, *args)


def _numbers(losses: Mapping[str, Tensor]) -> Tensor:
    """Fetch the losses as float64 on the CPU, shape (P,)."""
    numbers = torch.stack([loss.detach() for loss in losses.values()]).cpu().double()
    _check_finite("loss", numbers, losses)
    return numbers


def _check_finite(what: str, numbers: Tensor, tasks: Iterable[str]) -> None:
    broken = [task for task, number in zip(tasks, numbers.tolist(), strict=True) if not math.isfinite(number)]
    if broken:
        raise NonFiniteLoss(
            f"The {what} of task {' and '.join(map(repr, broken))} is not finite. "
            f"Look for labels out of range in this batch, or lower the learning rate."
        )
