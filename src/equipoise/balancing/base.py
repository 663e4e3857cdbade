"""The contract of every balancer: per-task losses in, one scalar to back-propagate out."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from equipoise.checks import checked_number

from .active_tasks import choose_active
from .alignment import batch_misalignment
from .batch_losses import BatchLosses, LossSums, add_up
from .clipping import bounded
from .collectives import sum_over_ranks, world_size
from .flat_state import FlatState
from .input_checks import (
    check_entries,
    check_finite,
    check_installed,
    check_names,
    check_products,
    check_views,
    checked_clip,
)
from .step_memory import StepMemory
from .task_gradients import Features, Needs, TaskGradients

Rescaling = Literal["compensates", "ignores"]

DEFAULT_CLIP = (1e-4, 1e4)
"""Wide enough for losses of very different units: two tasks are brought to one level up to 20,000 : 1."""


class Balancer(FlatState, ABC):
    r"""Turn the losses of several tasks into one scalar, Σ_t w_t L_t.

    A subclass implements `compute_weights`; everything else is here. The weights are detached numbers, never negative,
    inside `clip`, and sum to the number of tasks present, those with labels in the batch, so that the learning rate
    means the same under every balancer. Absent tasks have weight 0; the scalar still touches them (times 0), so
    distributed training sees every head. Where the balancer uses gradients, a task without one is left out and has
    weight 1: it changes nothing that is shared, and its own head may still learn.

    Gradients are those of a virtual linear map at the features (see `feature_gradients`, our design), unless `where`
    says otherwise.

    Under gradient accumulation (`counts` given) a balancer sees the previous optimizer step's losses and gradients,
    since the current ones are known only after the last micro-batch; a task without an earlier gradient has weight 1.

    In distributed training losses, label counts and gradients are summed over the processes (of `process_group`, by
    default all), so that every process has the weights that one process would have on the joined batch; the scalar
    is multiplied by the number of processes, over which `DistributedDataParallel` averages. All of them have to call
    the balancer in every step, with the same arguments given, be it for no task.

    The state (`state_dict`) consists of tensors; a fresh balancer that loads it goes on bit for bit.

    Args:
        tasks: the tasks' names, or a mapping from name to kind (`"classification"`, `"regression"`, …).
        clip: the smallest and the largest weight; 1 lies between them.
        where: where gradients are taken, for a balancer that uses them: "map", "features" or "parameters"; see
            `TaskGradients`.

    Raises:
        UsageError: If one of `packages` is not installed.
    """

    needs: Needs = "losses"
    """What the balancer reads beside the losses: nothing ("losses"), or the task gradients in one of the forms of
    `TaskGradients`: "gramian", "gradients" or "halves"."""
    needs_next_losses: bool = False
    """Whether `after_step` needs the batch's losses after the update."""
    rescaling: Rescaling | None = None
    """What the balancer does if one task's loss is c times larger, clipping aside. "compensates": the weight relative
    to the others is 1/c times as large. "ignores": weights do not change. `None`: neither is guaranteed."""
    random: bool = False
    """Whether weights are drawn at random, from a generator of its own that is part of its state."""
    paper: str = ""
    """Authors, year and arXiv id, or "our design"."""
    packages: tuple[str, ...] = ()
    """Packages that it needs beyond torch and numpy."""
    process_group: Any = None
    """The `torch.distributed` group to sum over; None means the default one, where there is one."""

    def __init__(
        self,
        tasks: Mapping[str, str] | Sequence[str],
        *,
        clip: tuple[float, float] = DEFAULT_CLIP,
        where: str = "map",
    ) -> None:
        super().__init__()
        check_installed(type(self).__name__, self.packages)
        if isinstance(tasks, str) or not tasks or len(set(tasks)) < len(tasks):
            raise ValueError(f"`tasks` must be one or more different names, or name: kind pairs. Found {tasks!r}.")
        self.tasks = dict(tasks) if isinstance(tasks, Mapping) else dict.fromkeys(tasks, "")
        self.clip = checked_clip(clip)
        self._gradients = TaskGradients(where, self.needs, self.tasks)
        self._memory = StepMemory(len(self.tasks))
        self._state: dict[str, Tensor] = {}
        """What a balancer remembers from step to step, by name; changed in place."""
        self._alignment = 0.0
        self._weights: dict[str, float] = {}
        self._losses: dict[str, float] = {}
        self._loss_sums: dict[str, float] = {}

    @abstractmethod
    def compute_weights(self, losses: Tensor, gradients: Tensor | None, tasks: Sequence[str]) -> Tensor:
        """Compute the weights of P active tasks, up to a common factor.

        Args:
            losses: their losses, detached; float64 on the CPU, shape (P,).
            gradients: what `needs` requires: `None` ("losses"); the inner products of their gradients, float64 on
                the CPU, shape (P, P) ("gramian", "halves"); or the gradients, shape (P, n) ("gradients").
            tasks: their names.

        Returns:
            Shape (P,), finite.
        """

    def learn(self, losses: Tensor, next_losses: Tensor | None, tasks: Sequence[str]) -> None:
        """Learn from an optimizer step that was made; does nothing unless a balancer needs it.

        Args:
            losses: the losses of the P tasks that were present, float64 on the CPU, shape (P,).
            next_losses: the same batch's losses after the update, likewise; `None` unless `needs_next_losses`.
            tasks: their names.
        """

    def weigh_examples(self, task: str, targets: Tensor) -> Tensor | None:
        """Return the weights of a task's examples, shape (n,), or `None` for none (the default)."""
        return None

    def forward(
        self,
        losses: Mapping[str, Tensor],
        *,
        features: Features | None = None,
        parameters: Iterable[Tensor] | None = None,
        targets: Mapping[str, Tensor] | None = None,
        rows: Mapping[str, Tensor] | None = None,
        counts: Mapping[str, float] | None = None,
    ) -> Tensor:
        """Return the scalar Σ_t w_t L_t to call `backward` on.

        In evaluation mode (`eval()`), or where gradients are off, the last weights stay, and nothing is learned or
        remembered.

        Args:
            losses: per task the losses of its labeled examples, shape (n_t,), or one scalar, which is taken as it is
                (no example weights, not divided by `counts`). A missing or empty entry: the task is absent.
            features: the features h that all heads read, shape (N, d) pooled or (N, S, d) tokens, attached to the
                graph. Needed if `needs_gradients` or with `alignment`, else ignored. Or by task a view of them
                (`h.view_as(h)`) that its head reads in their place, and nothing else does: then one backward pass
                through the heads yields the gradients of all tasks, else each task takes one. The numbers are the same.
            parameters: the parameters that the tasks share; needed instead of `features` for `where="parameters"`.
            targets: per task the labels, shape (n_t,): scores, or class indices as integers. Needed for example
                weights only; a task without them has none.
            rows: per task which rows of `features` its entries belong to, shape (n_t,), integers. Autograd finds the
                rows by itself; this is only checked against the losses' shapes.
            counts: per task the number of its labels in the whole accumulated batch: L_t is the sum over this
                micro-batch's examples divided by it. Call `after_step` after every optimizer step then. Without
                `counts` L_t is the mean of this batch.

        Raises:
            ValueError: If a task is unknown, shapes do not match, or `features` is needed and missing or unused.
            NonFiniteLoss: If a loss or its gradient is not finite.
        """
        check_names(self.tasks, losses=losses, targets=targets, rows=rows, counts=counts)
        check_entries(losses, targets=targets, rows=rows, counts=counts)
        check_views(losses, features)
        present, targets = self._present(losses), targets or {}
        weighted = {task: self._weighted_entry(task, entry, targets) for task, entry in present.items()}
        sums = LossSums(losses, weighted)
        if not self._learning:
            _, self._loss_sums = sums.read(sums.on_device.cpu())
            return self._sum_with_last_weights(weighted, losses, counts)
        if counts is None and world_size(self.process_group) == 1:
            sizes = sums.sizes
            parts = {task: entry / sizes[task] for task, entry in weighted.items()}
            batch, weights = self._weigh_batch(sums, parts, features, parameters)
        else:
            batch = self._gather(sums, sums.on_device.cpu(), counts)
            parts = {task: entry / batch.sizes[task] for task, entry in weighted.items()}
            weights = self._weigh_part(batch, parts, features, parameters, accumulated=counts is not None)
        self._weights = dict.fromkeys(self.tasks, 0.0) | weights
        self._losses = batch.means
        check_products(self._weights, batch.losses, {part.dtype for part in parts.values()})
        scalar = add_up([self._weights[task] * part for task, part in parts.items()], losses)
        if self.alignment:
            whole = counts is None and world_size(self.process_group) == 1
            scalar = scalar + self.alignment * batch_misalignment(parts, features, whole=whole)
        return scalar * world_size(self.process_group)

    def _present(self, losses: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the entries that are not empty, in the order of the tasks."""
        return {task: losses[task] for task in self.tasks if task in losses and losses[task].numel() > 0}

    def _sum_with_last_weights(
        self, weighted: Mapping[str, Tensor], losses: Mapping[str, Tensor], counts: Mapping[str, float] | None
    ) -> Tensor:
        """Return the scalar of a batch that nothing is learned from; tasks without a weight so far have 1."""
        sizes = {task: counts[task] if counts and entry.dim() else entry.numel() for task, entry in weighted.items()}
        return add_up(
            [(self._weights.get(task) or 1.0) * entry / sizes[task] for task, entry in weighted.items()], losses
        )

    @property
    def alignment(self) -> float:
        """λ of `alignment_penalty`, which is added to the scalar of a training step; 0, the default, is off.

        With it `features` are needed whatever the balancer, gradients have to be taken at the map, and neither gradient
        accumulation nor several processes are possible: the penalty of a batch is no sum over its parts.

        Raises:
            ValueError: Where it is set to something else than a number of at least 0, or gradients are taken elsewhere.
        """
        return self._alignment

    @alignment.setter
    def alignment(self, value: float) -> None:
        value = checked_number("alignment", value, lambda number: number >= 0, "a number of at least 0")
        if value and self._gradients.where != "map":
            raise ValueError(f"`alignment` goes with `where: map`. Found `where: {self._gradients.where}`.")
        self._alignment = value

    @property
    def needs_gradients(self) -> bool:
        """Whether the balancer uses gradients, so that the caller has to pass `features` (or `parameters`)."""
        return self.needs != "losses"

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
        return dict(self._losses)

    @property
    def loss_sums(self) -> dict[str, float]:
        """The sums of the last call's losses in this process, of the tasks present, without example weights."""
        return dict(self._loss_sums)

    def after_step(self, recompute: Callable[[], Mapping[str, Tensor]] | None = None, *, skipped: bool = False) -> None:
        """Close an optimizer step: call it after every `optimizer.step()`.

        Only gradient accumulation and balancers that learn need it.

        Args:
            recompute: computes the same batch's losses after the update; see `Repeatable`. Only balancers with
                `needs_next_losses` call it.
            skipped: whether the optimizer made no step, as with a float16 overflow; `learn` is not called then, and
                accumulated gradients are forgotten.

        Raises:
            ValueError: If the balancer needs the losses after the update, and `recompute` or a task of its is missing.
            NonFiniteLoss: If one of them is not finite.
        """
        if self.needs_next_losses and recompute is None:
            raise ValueError(
                f"{type(self).__name__} compares the losses before and after the update: call "
                "`after_step(recompute)`, which computes the same batch's losses again (see Repeatable)."
            )
        memory = self._memory
        if skipped:
            memory.reset()
            return
        seen = (~memory.losses.isnan()).nonzero().flatten()
        if len(seen):
            tasks = [list(self.tasks)[index] for index in seen]
            following = self._following_losses(recompute, tasks) if self.needs_next_losses and recompute else None
            self.learn(memory.losses[seen], following, tasks)
        if memory.gradients is None:
            memory.close()
        else:
            memory.close(*self._gradients.read(memory.gradients), pairwise=self._gradients.pairwise)

    def on_epoch_end(self) -> None:
        """Close an epoch; does nothing unless a balancer needs it."""

    def _weighted_entry(self, task: str, entry: Tensor, targets: Mapping[str, Tensor]) -> Tensor:
        """Multiply a task's losses by their example weights, in float32 or better."""
        entry = entry.to(torch.promote_types(entry.dtype, torch.float32))
        weights = self.weigh_examples(task, targets[task]) if task in targets and entry.dim() else None
        return entry if weights is None else entry * weights.to(entry)

    def _gather(self, sums: LossSums, numbers: Tensor, counts: Mapping[str, float] | None) -> BatchLosses:
        """Add up the losses over all processes; `numbers` are the sums on the CPU."""
        _, self._loss_sums = sums.read(numbers)
        batch = sums.gather(self.tasks, numbers, counts, self.process_group)
        check_finite("loss", batch.losses, self.tasks)
        return batch

    def _weigh_batch(
        self,
        sums: LossSums,
        parts: dict[str, Tensor],
        features: Features | None,
        parameters: Iterable[Tensor] | None,
    ) -> tuple[BatchLosses, dict[str, float]]:
        """Weigh the tasks by a batch that is the whole step; all numbers leave the device together."""
        squares, gradients = None, None
        if self.needs_gradients and parts:
            squares, gradients, numbers = self._gradients.read_batch(parts, features, parameters, sums.on_device)
        else:
            numbers = sums.on_device.cpu()
        batch = self._gather(sums, numbers, None)
        return batch, self._weigh_step(batch, squares, gradients)

    def _weigh_part(
        self,
        batch: BatchLosses,
        parts: dict[str, Tensor],
        features: Features | None,
        parameters: Iterable[Tensor] | None,
        *,
        accumulated: bool,
    ) -> dict[str, float]:
        """Weigh the tasks by a batch of several processes, or those of an accumulated batch by the previous step."""
        memory = self._memory
        squares, gradients, measured = None, None, None
        if self.needs_gradients and batch.seen.any():
            measured = sum_over_ranks(self._gradients.measure(parts, features, parameters), self.process_group)
            squares, gradients = (None, None) if accumulated else self._gradients.read(measured)
        if not accumulated:
            return self._weigh_step(batch, squares, gradients)
        memory.add(batch.seen, batch.losses, measured)
        if memory.weights is None:
            # The same for all micro-batches of the step.
            squares = memory.previous_squares if self.needs_gradients else None
            weights = self._weigh(batch.weighed, memory.previous_losses, squares, memory.previous_gradients)
            memory.weights = torch.tensor([weights.get(task, 0.0) for task in self.tasks], dtype=torch.float64)
        return dict(zip(self.tasks, memory.weights.tolist(), strict=True))

    def _weigh_step(self, batch: BatchLosses, squares: Tensor | None, gradients: Tensor | None) -> dict[str, float]:
        """Weigh the tasks by a step that is known as a whole, and remember its losses."""
        self._memory.reset()
        self._memory.add(batch.seen, batch.losses)
        return self._weigh(batch.seen, batch.losses, squares, gradients)

    def _weigh(
        self, present: Tensor, losses: Tensor, squares: Tensor | None, gradients: Tensor | None
    ) -> dict[str, float]:
        """Compute the weights of the tasks present, in the contract's form."""
        names, pairwise = list(self.tasks), self._gradients.pairwise
        found = choose_active(names, present, losses, squares, gradients, pairwise=pairwise)
        weights = {name: 1.0 for name, there in zip(names, present.tolist(), strict=True) if there}
        if not found.tasks:
            return weights
        raw = self.compute_weights(*found)
        if raw.shape != found.losses.shape or not raw.isfinite().all():
            raise ValueError(f"{type(self).__name__}.compute_weights returned {raw} for the tasks {found.tasks}.")
        return weights | dict(zip(found.tasks, bounded(raw, *self.clip).tolist(), strict=True))

    def _following_losses(self, recompute: Callable[[], Mapping[str, Tensor]], tasks: Sequence[str]) -> Tensor:
        """Compute P tasks' losses after the update, float64 on the CPU, shape (P,)."""
        with torch.no_grad():
            losses = recompute()
        check_names(self.tasks, losses=losses)
        sums = LossSums(losses, self._present(losses))
        batch = sums.gather(self.tasks, sums.on_device.cpu(), None, self.process_group)
        missing = [task for task in tasks if task not in batch.means]
        if missing:
            raise ValueError(f"`recompute` gives no loss of {missing}, which the step had.")
        check_finite("loss after the update", batch.losses, self.tasks)
        return batch.losses[self._indices(tasks)]

    def _indices(self, tasks: Iterable[str]) -> list[int]:
        order = list(self.tasks)
        return [order.index(task) for task in tasks]

    def _get_state(self) -> dict[str, Tensor]:
        """Return the state beyond parameters and buffers; a balancer with more of it extends both methods."""
        # The prefix is older than the attribute's name; checkpoints have it.
        return self._memory.state() | {f"kept.{name}": value.clone() for name, value in self._state.items()}

    def _set_state(self, state: dict[str, Tensor]) -> None:
        """Take over what `_get_state` returned."""
        self._memory.load(state)
        self._state = {name: state[f"kept.{name}"] for name in self._state}
