"""Several losses for any `transformers.Trainer`: balanced, logged, and kept in its checkpoints."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from transformers import TrainerCallback

from equipoise.balancing import Balancer, NonFiniteLoss, Repeatable
from equipoise.errors import TrainingError, did_you_mean

if TYPE_CHECKING:
    from transformers import Trainer
else:
    Trainer = object

_BALANCER = "balancer.pt"


@dataclass(frozen=True)
class TaskLosses:
    """The losses of one batch, as a balancer takes them.

    Args:
        losses: per task the losses of its labelled examples, shape (n_t,), or one scalar. A task without labels in
            the batch has an empty entry, which distributed training needs to reach its module.
        targets: per task the labels, shape (n_t,); for example weights.
        rows: per task which rows of the features its entries belong to, shape (n_t,); checked only.
        features: the features, where the trainer's `features` does not name a module that returns them.
        parameters: the shared parameters, for a balancer that takes gradients there.
        outputs: the model's outputs, handed to `compute_metrics` in evaluation.
    """

    losses: Mapping[str, Tensor]
    targets: Mapping[str, Tensor] | None = None
    rows: Mapping[str, Tensor] | None = None
    features: Tensor | Mapping[str, Tensor] | None = None
    parameters: Iterable[Tensor] | None = None
    outputs: Any = None


class BalancedTrainerMixin(Trainer):
    """Let a `transformers.Trainer` train on several losses.

    Put it before `Trainer` and implement `compute_task_losses`; with gradient accumulation also `count_labels`.
    Every log holds the task losses ("loss/TASK", means over the labels since the last log) and task weights
    ("weight/TASK", means over the steps that had the task). The balancer's state is in every checkpoint, as
    `balancer.pt`, and comes back with `resume_from_checkpoint`. Accumulation, distributed training, mixed precision
    (a step that the gradient scaler skips teaches the balancer nothing) and balancers that look at the losses after
    the update need nothing more.

    Args:
        args: those of `transformers.Trainer`.
        balancer: turns the task losses into one.
        features: name of the model's submodule whose output all heads read, such as "pooler"; an output with
            several parts counts by its first. A mapping holds by task the view of the features that its head reads (see
            `Balancer.forward`). It is captured inside the model, so it is right also where the model's
            outputs are copied on their way (distributed training, mixed precision). Balancers that use no gradients
            need none.
        kwargs: those of `transformers.Trainer`.

    Example:
        >>> from transformers import Trainer
        >>> class MyTrainer(BalancedTrainerMixin, Trainer):
        ...     def compute_task_losses(self, model, inputs):
        ...         scores, logits = model(inputs["x"])
        ...         return TaskLosses(
        ...             {
        ...                 "score": (scores - inputs["score"]).square(),
        ...                 "polarity": nn.functional.cross_entropy(logits, inputs["polarity"], reduction="none"),
        ...             }
        ...         )
    """

    def __init__(self, *args: Any, balancer: Balancer, features: str | None = None, **kwargs: Any) -> None:
        self.balancer = balancer
        self._feature_module = features
        self._captured: _Captured | None = None
        self._counts: dict[str, int] | None = None
        self._forwards: list[Callable[[], TaskLosses]] = []
        self._skipped = False
        # Of the step's batches, by task the gradients at its outputs, to tell whose is not finite.
        self._output_gradients: list[tuple[str, Tensor]] = []
        # By task: sum of its losses and number of its labels; sum of its weights and number of its steps.
        self._losses = {task: [0.0, 0] for task in balancer.tasks}
        self._weights = {task: [0.0, 0] for task in balancer.tasks}
        super().__init__(*args, **kwargs)
        if self.args.torch_compile and (balancer.needs_gradients or balancer.alignment):
            raise ValueError(
                f"{type(balancer).__name__} differentiates the heads alone, which `torch_compile` melts into "
                "one with the backbone: compile the backbone alone, `model.backbone.compile()`."
            )
        # torch's DataParallel would split the batch out of the balancer's sight; several devices need a launcher.
        self.args._n_gpu = min(1, self.args.n_gpu)
        self._train_batch_size = self.args.train_batch_size
        # The losses are divided by the label counts of the whole accumulated batch: nothing is left to divide.
        self.loss_is_scaled_for_ga = True
        self.balancer.to(self.args.device)
        self.add_callback(_CloseSteps(self))

    def compute_task_losses(self, model: nn.Module, inputs: dict[str, Any]) -> TaskLosses:
        """Compute the task losses of a batch.

        Args:
            model: the model to call: ours, or what distributed training wrapped around it.
            inputs: a batch, on the device.
        """
        raise NotImplementedError(f"Implement `{type(self).__name__}.compute_task_losses(model, inputs)`.")

    def count_labels(self, inputs: dict[str, Any]) -> Mapping[str, int]:
        """Count each task's labels in a batch; needed with gradient accumulation only."""
        raise NotImplementedError(
            f"With gradient accumulation a task's loss is divided by its labels in all micro-batches: implement "
            f"`{type(self).__name__}.count_labels(inputs)`, which returns each task's number of labels in a batch."
        )

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        """Balance the task losses of a batch."""
        self._capture_features()

        def forward() -> TaskLosses:
            return self.compute_task_losses(model, dict(inputs))

        learning = torch.is_grad_enabled()
        if learning and self.balancer.needs_next_losses:
            forward = Repeatable(forward)
            self._forwards.append(forward)
        found = forward()
        captured = self._captured.take() if self._captured else None
        loss = self.balancer(
            found.losses,
            features=captured if found.features is None else found.features,
            parameters=found.parameters,
            targets=found.targets,
            rows=found.rows,
            counts=self._counts if learning else None,
        )
        if learning:
            self._watch_outputs(found)
            # The balancer has brought the sums from the device already, with all it needs itself.
            for task, total in self.balancer.loss_sums.items():
                self._losses[task][0] += total
                self._losses[task][1] += found.losses[task].numel()
        return (loss, {} if found.outputs is None else found.outputs) if return_outputs else loss

    def get_batch_samples(self, epoch_iterator: Iterator, num_batches: int, device: torch.device) -> tuple:
        """Collect the batches of one step, and count each task's labels in them."""
        self._output_gradients.clear()
        batches, items = super().get_batch_samples(epoch_iterator, num_batches, device)
        if self.args.gradient_accumulation_steps > 1:
            counts = [self.count_labels(batch) for batch in batches]
            self._counts = {task: sum(int(count.get(task, 0)) for count in counts) for task in self.balancer.tasks}
        return batches, items

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log figures; a training step's with the task losses and task weights.

        Raises:
            NonFiniteLoss: the gradient is not finite, and no gradient scaler has skipped the step.
        """
        if "grad_norm" in logs:
            if not math.isfinite(logs["grad_norm"]) and not self._skipped:
                # Before this step's checkpoint is written: the last one is still good.
                raise NonFiniteLoss(
                    f"The gradient of step {self.state.global_step} is not finite{self._blamed_tasks()}. Lower the "
                    "learning rate, or look for labels far out of range."
                )
            logs |= self._take_figures()
        super().log(logs, start_time)

    def _watch_outputs(self, found: TaskLosses) -> None:
        """Keep the gradients at the tasks' outputs; nothing is computed with them unless something went wrong."""

        def keep(task: str, gradient: Tensor) -> None:
            self._output_gradients.append((task, gradient))

        outputs = found.outputs if isinstance(found.outputs, Mapping) else {}
        for task in found.losses:
            output = outputs.get(task)
            if isinstance(output, Tensor) and output.requires_grad:
                output.register_hook(partial(keep, task))

    def _blamed_tasks(self) -> str:
        """Name the tasks whose loss has a gradient that is not finite, where there are such."""
        broken = dict.fromkeys(task for task, gradient in self._output_gradients if not gradient.isfinite().all())
        return f", beginning with the loss of {' and '.join(map(repr, broken))}" if broken else ""

    def close_step(self, skipped: bool) -> None:
        """Tell the balancer of an optimiser step, or of one that the gradient scaler skipped; called after each."""
        self._skipped = skipped
        self.balancer.after_step(self._compute_again if self._forwards else None, skipped=skipped)
        self._forwards.clear()
        for task, weight in self.balancer.weights.items():
            # Zero is the weight of an absent task, or one that a wide `clip` allows.
            if weight or task in self.balancer.losses:
                self._weights[task][0] += weight
                self._weights[task][1] += 1

    def _compute_again(self) -> dict[str, Tensor]:
        """Compute the losses of all micro-batches of the step again."""
        parts: dict[str, list[Tensor]] = {}
        for forward in self._forwards:
            for task, entry in forward().losses.items():
                parts.setdefault(task, []).append(entry)
        if self._captured:
            self._captured.take()
        return {
            task: sum(entries, torch.zeros(())) if entries[0].dim() == 0 else torch.cat(entries)
            for task, entries in parts.items()
        }

    def _take_figures(self) -> dict[str, float]:
        """Return the mean losses and weights since the last time."""
        sums = self._sum_over_processes([figure for pair in self._losses.values() for figure in pair])
        figures = {}
        for index, task in enumerate(self._losses):
            if sums[2 * index + 1]:
                figures[f"loss/{task}"] = sums[2 * index] / sums[2 * index + 1]
        figures |= {f"weight/{task}": total / steps for task, (total, steps) in self._weights.items() if steps}
        for kept in (self._losses, self._weights):
            kept.update({task: [0.0, 0] for task in kept})
        return figures

    def _sum_over_processes(self, numbers: list[float]) -> list[float]:
        if self.args.world_size == 1:
            return numbers
        return self.accelerator.reduce(torch.tensor(numbers, device=self.args.device, dtype=torch.float64)).tolist()

    def _capture_features(self) -> None:
        if self._feature_module is None:
            return
        try:
            module = self.model.get_submodule(self._feature_module)
        except AttributeError:
            known = [name for name, _ in self.model.named_children()]
            raise ValueError(
                f"`features` must name a submodule of the model. Found {self._feature_module!r}. "
                + did_you_mean(self._feature_module, known)
            ) from None
        if self._captured is None or self._captured.module is not module:
            self._captured = _Captured(module)

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        super()._save_optimizer_and_scheduler(output_dir)
        if self.args.should_save:
            torch.save(self.balancer.state_dict(), Path(output_dir) / _BALANCER)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        super()._load_optimizer_and_scheduler(checkpoint)
        if checkpoint is None:
            return
        file = Path(checkpoint) / _BALANCER
        if not file.is_file():
            raise TrainingError(
                f"{file}: no such file: the checkpoint was written without a balancer. Start from scratch, or copy one "
                "there."
            )
        self.balancer.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))


class _CloseSteps(TrainerCallback):
    """Tells the balancer of optimiser steps and epochs."""

    def __init__(self, trainer: BalancedTrainerMixin) -> None:
        self._trainer = trainer
        self._scale = 1.0

    def on_pre_optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Look at the gradient scaler."""
        self._scale = self._current_scale()

    def on_optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Let the balancer close the step."""
        # Fused optimisers skip a step on their own, which accelerate does not see; the scale always sinks.
        skipped = self._current_scale() < self._scale or self._trainer.accelerator.optimizer_step_was_skipped
        self._trainer.close_step(skipped)

    def on_epoch_end(self, *args: Any, **kwargs: Any) -> None:
        """Let the balancer close the epoch."""
        self._trainer.balancer.on_epoch_end()

    def _current_scale(self) -> float:
        scaler = self._trainer.accelerator.scaler
        return 1.0 if scaler is None else scaler.get_scale()


class _Captured:
    """Keeps the last output of a module, as long as nobody has taken it."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self._output: Any = None
        module.register_forward_hook(self)

    def __call__(self, module: nn.Module, inputs: Any, output: Any) -> None:
        if torch.is_grad_enabled():
            self._output = output

    def take(self) -> Tensor | Mapping[str, Tensor] | None:
        """Return the output, its first part, or its views by task, and forget it."""
        output, self._output = self._output, None
        # An output of transformers is a dict by type, too, but not a plain one.
        return output if output is None or isinstance(output, Tensor) or type(output) is dict else output[0]
