"""Learning new tasks while the answers to old ones are kept near those of the old model."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from equipoise.balancing import Balancer, EqualWeights
from equipoise.data import Collator, RowBatch, gather_scored, gather_tokens, spread
from equipoise.modeling import MultiTaskModel, infer_outputs
from equipoise.progress import progress

from .prepared_run import PreparedRun

_ANSWERS = "answers"


class KeepingBalancer(Balancer):
    r"""Balance the losses of new tasks, and add the distances of old answers with a fixed weight.

        Σ_new w_t L_t + protect · Σ_old D_t

    The distances are no tasks of the balancer's (our design): they are near zero at the start, so that balancers by
    gradients would weigh them most where there is nothing to keep yet.

    Args:
        inner: weighs the new tasks.
        kept: the names of the old tasks.
        protect: their weight.
    """

    def __init__(self, inner: Balancer, kept: Sequence[str], protect: float) -> None:
        super().__init__({**inner.tasks, **dict.fromkeys(kept, "")})
        self.inner = inner
        self.fixed = EqualWeights(kept)
        self.protect = protect
        self.needs = inner.needs
        self.needs_next_losses = inner.needs_next_losses
        self._alignment = inner.alignment

    def compute_weights(self, losses: Tensor, gradients: Tensor | None, tasks: Sequence[str]) -> Tensor:
        """Not called: both parts compute their own."""
        raise NotImplementedError

    def forward(
        self,
        losses: Mapping[str, Tensor],
        *,
        features: Tensor | Mapping[str, Tensor] | None = None,
        parameters: Iterable[Tensor] | None = None,
        targets: Mapping[str, Tensor] | None = None,
        rows: Mapping[str, Tensor] | None = None,
        counts: Mapping[str, float] | None = None,
    ) -> Tensor:
        """Return the scalar; see `Balancer.forward`."""
        new, old = self._split(losses)
        new_rows, old_rows = self._split(rows or {})
        new_counts, old_counts = (None, None) if counts is None else self._split(counts)
        if isinstance(features, Mapping):
            features = self._split(features)[0]
        balanced = self.inner(
            new, features=features, parameters=parameters, targets=targets, rows=new_rows, counts=new_counts
        )
        return balanced + self.protect * self.fixed(old, rows=old_rows, counts=old_counts)

    def after_step(self, recompute: Callable[[], Mapping[str, Tensor]] | None = None, *, skipped: bool = False) -> None:
        """Close an optimizer step; see `Balancer.after_step`."""
        again = None if recompute is None else lambda: self._split(recompute())[0]
        self.inner.after_step(again, skipped=skipped)
        self.fixed.after_step(skipped=skipped)

    def on_epoch_end(self) -> None:
        """Close an epoch."""
        self.inner.on_epoch_end()

    @property
    def weights(self) -> dict[str, float]:
        """The weights of the last call."""
        return self.inner.weights | {task: self.protect * weight for task, weight in self.fixed.weights.items()}

    @property
    def losses(self) -> dict[str, float]:
        """The losses and distances of the last call."""
        return self.inner.losses | self.fixed.losses

    @property
    def loss_sums(self) -> dict[str, float]:
        """The sums of the last call's losses and distances."""
        return self.inner.loss_sums | self.fixed.loss_sums

    def _split(self, entries: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        old = {task: entry for task, entry in entries.items() if task in self.fixed.tasks}
        return {task: entry for task, entry in entries.items() if task not in old}, old


class KeepingCollator:
    """Makes batches in which old tasks answer for every row, and the old model's answers are "answers".

    Args:
        collate: makes batches of the new tasks.
        model: the model.
        answers: by old task the outputs for each row of the table; see `infer_outputs`.
    """

    def __init__(self, collate: Collator, model: MultiTaskModel, answers: Mapping[str, Sequence[Tensor]]) -> None:
        self._collate = collate
        self._tokenizer = model.tokenizer
        self._tasks = {name: model.tasks[name] for name in answers}
        self._answers = {name: _Answers(found, self._tasks[name].has_token_head) for name, found in answers.items()}

    def __call__(self, rows: RowBatch) -> dict[str, Any]:
        """Make a batch of rows of the table; see `Collator`."""
        batch = self._collate(rows)
        width, every = batch["inputs"]["input_ids"].shape[1], np.arange(len(rows))
        batch[_ANSWERS] = {}
        for name, task in self._tasks.items():
            if task.is_prompted:
                batch["scored"][name] = gather_scored(rows, every, task, width)
            if task.has_token_head:
                batch["scored"][name] = gather_tokens(rows, every, width, self._tokenizer.padding_side)
            batch[_ANSWERS][name], counts = self._answers[name].take(rows.places)
            batch["rows"][name] = torch.from_numpy(np.repeat(every, counts))
        return batch


class _Answers:
    """The outputs of one task for all rows: one for each, or one for each of its cells."""

    def __init__(self, outputs: Sequence[Tensor], of_cells: bool) -> None:
        self._outputs = torch.cat(list(outputs)) if of_cells else torch.stack(list(outputs))
        self._counts = np.array([len(part) if of_cells else 1 for part in outputs], dtype=np.int64)
        self._starts = np.cumsum(self._counts) - self._counts

    def take(self, places: npt.NDArray[np.int64]) -> tuple[Tensor, npt.NDArray[np.int64]]:
        """Return the outputs for some rows, and how many each of them has."""
        counts = self._counts[places]
        return self._outputs[torch.from_numpy(spread(self._starts[places], counts))], counts


def read_answers(run: PreparedRun, kept: Sequence[str]) -> dict[str, list[Tensor]]:
    """Return the outputs of tasks for all training rows, by the model as it is now.

    Args:
        run: the run, before its first step.
        kept: the tasks.
    """
    rows, size = run.rows["train"], run.config.train.eval_batch_size
    with progress("Reading old answers", len(rows), "row") as bar:
        return infer_outputs(run.model, rows, kept, size, bar)
