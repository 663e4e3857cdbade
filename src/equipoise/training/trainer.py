"""The training loop: a `transformers.Trainer` that balances several losses."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn
from torch.utils.data import Dataset, Sampler
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainerControl

from equipoise.balancing import Balancer, NonFiniteLoss
from equipoise.config import TrainConfig
from equipoise.curriculum import Curriculum
from equipoise.data import EpochSampler
from equipoise.disk import disk_refusal
from equipoise.errors import OVERWRITE, RESUME, TrainingError, first_line
from equipoise.modeling import (
    FrozenLayers,
    MultiTaskModel,
    compiled,
    held_in_bfloat16,
    held_in_float32,
    plain_attention,
    quiet_transformers,
)
from equipoise.precision import PURE_BF16, compute_type, computing_in

from .arguments import make_arguments
from .callbacks import Patience, ProgressSlot, RunLog, ScoreOnSchedule, SetEpoch, ShowProgress, StopOnSignal
from .checkpoints import checkpoint_at, damaged, mark_complete, remove_checkpoint, remove_checkpoints
from .mixin import BalancedTrainerMixin, TaskLosses
from .processes import hide_sharding, in_first, is_first, is_sharded, join_processes
from .random_states import load_random_states, random_states_file, save_random_states
from .run_folder import CHECKPOINTS
from .sharded_mixin import ShardedTrainingMixin
from .sharding import split_sharded
from .trained_weights import load_weights, save_weights


@dataclass(frozen=True)
class TrainingBatches:
    """The training rows, and how batches are made of them.

    Args:
        rows: the encoded training rows, as `FlatRows`; another data set gives a dictionary for each row.
        sampler: their order, epoch by epoch.
        collate: makes a batch of rows.
        curriculum: which labels are learnt when; the sampler keeps its order.
    """

    rows: Dataset
    sampler: EpochSampler
    collate: Callable[[Any], dict[str, Any]]
    curriculum: Curriculum | None = None


class MultiTaskTrainer(ShardedTrainingMixin, BalancedTrainerMixin, Trainer):
    """Trains a `MultiTaskModel` on batches of the table with missing labels.

    The loop, resuming, accumulation and schedules are those of `transformers.Trainer`, the balancing is the
    mixin's; this class makes the batches' losses, scores dev and keeps the run's checkpoints and log. Where the model
    is sharded over the processes, the first one keeps a whole copy, which it scores.

    Args:
        model: the model.
        balancer: turns the task losses into one.
        batches: the training rows, and how batches are made of them.
        score_dev: scores the model on dev; must return `run_score`, which selects the checkpoint.
        config: the run file's `train` section.
        folder: the run's folder; checkpoints and `log.jsonl` go there.
        progress: the run's place among several, for the progress bar.
    """

    control: TrainerControl
    optimizer: Any

    def __init__(
        self,
        model: MultiTaskModel,
        balancer: Balancer,
        batches: TrainingBatches,
        score_dev: Callable[[], Mapping[str, float]],
        config: TrainConfig,
        folder: Path,
        progress: ProgressSlot | None = None,
    ) -> None:
        join_processes()
        self.head_learning_rate = config.head_learning_rate
        self.stop_on_signal = StopOnSignal()
        self.show_progress = ShowProgress(progress)
        self.run_log = RunLog(folder / "log.jsonl", balancer)
        self._score_dev = score_dev
        self._batches = batches
        self._frozen = config.freeze_layers, config.frozen_memory_gb
        self._compiles, self._is_pure = config.compile, config.precision == PURE_BF16
        self._whole, self._is_sharded = model, is_sharded()
        with hide_sharding():
            super().__init__(
                model=deepcopy(model) if self._is_sharded and is_first() else model,
                args=make_arguments(config, folder / CHECKPOINTS),
                data_collator=batches.collate,
                train_dataset=batches.rows,
                callbacks=self._make_callbacks(config),
                balancer=balancer,
                features="task_features",
            )
        self.remove_callback(PrinterCallback)
        self._compute_type = compute_type(config.precision, self.args.device.type)

    def _make_callbacks(self, config: TrainConfig) -> list[TrainerCallback]:
        callbacks: list[Any] = [
            SetEpoch(self._batches.sampler),
            ScoreOnSchedule(config.evaluations),
            self.stop_on_signal,
        ]
        if config.patience is not None:
            callbacks.append(Patience(config.patience))
        if config.precision == "fp16":
            callbacks.append(_KeepForward(self))
        if is_first():
            callbacks += [self.run_log, self.show_progress]
        return callbacks

    def fit(self, resume_from: Path | None = None, *, saves: bool = True) -> None:
        """Train, from the start or from a checkpoint, to the end or until a signal has stopped it.

        Args:
            resume_from: the checkpoint; None starts from scratch.
            saves: a first Ctrl-C or SIGTERM lets the step end and saves a checkpoint; else signals do what they did.

        Raises:
            TrainingError: a checkpoint cannot be written.
            NonFiniteLoss: a task's loss, or a gradient, is no finite number.
        """
        try:
            with (
                self.stop_on_signal.listening() if saves else nullcontext(),
                quiet_transformers(),
                self._attention(),
                # Made here, so that its memory is free when dev and test are scored.
                self._frozen_layers(),
                held_in_bfloat16(self.model) if self._is_pure else nullcontext(),
                compiled(self.model) if self._compiles else nullcontext(),
            ):
                self.train(resume_from_checkpoint=str(resume_from) if resume_from else None)
            self._move_whole(self.args.device)
        except NonFiniteLoss as error:
            where = "" if "of step" in str(error) else f"Step {self.state.global_step + 1}: "
            raise NonFiniteLoss(
                f"{where}{error} Continued with the same settings, the training meets it again: change them, and start "
                f"anew with {OVERWRITE}."
            ) from error
        finally:
            self.show_progress.close()

    def _attention(self) -> AbstractContextManager[None]:
        """How the backbone attends in training."""
        if self._compute_type is torch.bfloat16 and self.args.device.type == "cpu":
            return plain_attention(self.model.backbone, self.model.max_length)
        return nullcontext()

    def _frozen_layers(self) -> AbstractContextManager[None]:
        """What stands in for layers that nothing changes."""
        # A layer that is left out would leave out what gathers the shards of the next one, and is no part of a graph.
        left_out = self._is_sharded or self._compiles
        return nullcontext() if left_out else FrozenLayers(self.model, *self._frozen).cached()

    def compute_task_losses(self, model: nn.Module, inputs: dict[str, Any]) -> TaskLosses:
        """Let every head answer for the rows that carry its label, or another model's answer."""
        # Here, not by the trainer's `bf16`, which changes the model itself: dev and test are scored in float32.
        with computing_in(self._compute_type, self.args.device.type):
            outputs = model(inputs["inputs"], inputs["rows"], inputs["scored"])
            outputs = {task: output.float() for task, output in outputs.items()}
        losses = self.model.losses(outputs, inputs["targets"])
        losses |= self.model.distillation_losses(outputs, inputs.get("answers", {}))
        shared = self.model.shared_parameters()
        return TaskLosses(losses, targets=inputs["targets"], rows=inputs["rows"], parameters=shared, outputs=outputs)

    def count_labels(self, inputs: dict[str, Any]) -> dict[str, int]:
        """Count each task's labels in a batch."""
        return {name: len(found) for name, found in (inputs["targets"] | inputs.get("answers", {})).items()}

    def get_batch_samples(self, epoch_iterator: Iterator, num_batches: int, device: torch.device) -> tuple:
        """Collect the batches of one step, and measure them."""
        curriculum, step = self._batches.curriculum, self.state.global_step
        if curriculum is not None:
            epoch_iterator = (curriculum.hide(batch, step) for batch in epoch_iterator)
        batches, items = super().get_batch_samples(epoch_iterator, num_batches, device)
        rows = sum(len(batch["inputs"]["input_ids"]) for batch in batches)
        tokens = sum(int(batch["lengths"].sum()) for batch in batches)
        all_rows, all_tokens = self._sum_over_processes([rows, tokens])
        self.run_log.rows += all_rows
        self.run_log.tokens += all_tokens
        if curriculum is not None and batches:
            observed = [curriculum.observe(batch) for batch in batches]
            total, labels = self._sum_over_processes([sum(column) for column in zip(*observed, strict=True)])
            stage = curriculum.stage(step)
            self.run_log.curriculum = {
                "difficulty": total / labels,
                **({"stage": stage.number} if curriculum.staged else {"share": stage.share}),
            }
        return batches, items

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Score dev, in the first process."""
        with self._whole_model(), held_in_float32(self.model) if self._is_pure else nullcontext():
            metrics = {f"eval_{key}": value for key, value in in_first(self._score_dev).items()}
        self.log(dict(metrics))
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Pass figures on to the callbacks; `log.jsonl` keeps them, not the trainer's state, which would grow."""
        super().log(logs, start_time)
        self.state.log_history.clear()

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        """AdamW in four groups: backbone or what starts from nothing, with weight decay or without."""
        if self.optimizer is None:
            own = {id(parameter) for parameter in self.model.task_parameters()}
            head_rate = self.head_learning_rate or self.args.learning_rate
            groups = []
            for in_head, rate in ((False, self.args.learning_rate), (True, head_rate)):
                for decay in (True, False):
                    parameters = [
                        parameter
                        for parameter in self.model.parameters()
                        # Matrices decay; biases and norms are vectors.
                        if parameter.requires_grad
                        and (id(parameter) in own) == in_head
                        and (parameter.ndim >= 2) == decay
                    ]
                    weight_decay = self.args.weight_decay if decay else 0.0
                    for alike in split_sharded(parameters):
                        groups.append({"params": alike, "lr": rate, "weight_decay": weight_decay})
            self.optimizer = self._make_optimizer(groups)
        return self.optimizer

    def _make_optimizer(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        optimizer_class, options = self.get_optimizer_cls_and_kwargs(self.args, self.model)
        if self._is_pure:
            # Its package takes seconds to load, and need not be installed.
            from .rounding_adamw import RoundingAdamW

            optimizer_class = partial(RoundingAdamW, seed=self.args.seed)
            options = {name: value for name, value in options.items() if name != "fused"}
        return optimizer_class(groups, **options)

    def _get_train_sampler(self, train_dataset: Dataset | None = None) -> Sampler[int]:
        return self._batches.sampler

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        folder = Path(self.args.output_dir)
        checkpoint = checkpoint_at(folder, self.state.global_step)
        if (checkpoint / "complete").exists():
            return
        try:
            super()._save_checkpoint(model, trial)
            self.accelerator.wait_for_everyone()
            if self.args.should_save:
                mark_complete(checkpoint)
        except (OSError, RuntimeError, SafetensorError) as error:
            # Other processes come here when the first one is gone, which may have completed the checkpoint.
            if self.args.should_save:
                with suppress(OSError):
                    remove_checkpoint(checkpoint)
            raise _not_saved(checkpoint, error) from error
        if self.args.should_save:
            remove_checkpoints(folder, keep={self.state.global_step, self.state.best_global_step or 0})
        self.accelerator.wait_for_everyone()

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Save what training changes, whole; all processes have to come here."""
        assert output_dir is not None
        save_weights(self.model, Path(output_dir), writes=self.args.should_save)

    def _save_rng_state(self, output_dir: str) -> None:
        file = random_states_file(output_dir, self.args.process_index, self.args.world_size)
        save_random_states(file, self.args.device)

    def _load_rng_state(self, checkpoint: str | None) -> None:
        if checkpoint is None:
            return
        file = random_states_file(checkpoint, self.args.process_index, self.args.world_size)
        if not file.is_file():
            # Saved by another number of processes: each goes on with states of its own.
            return
        try:
            load_random_states(file, self.args.device)
        except (OSError, RuntimeError, ValueError, KeyError, TypeError, EOFError, UnpicklingError) as error:
            raise damaged(file, first_line(error)) from error

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        load_weights(self.model, Path(resume_from_checkpoint))

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is None:
            return
        try:
            with self._whole_optimizer(Path(checkpoint)) if self._is_sharded else nullcontext():
                super()._load_optimizer_and_scheduler(checkpoint)
        except (OSError, RuntimeError, ValueError, KeyError, EOFError, UnpicklingError, SafetensorError) as error:
            raise damaged(Path(checkpoint) / "optimizer.pt", first_line(error)) from error


class _KeepForward(TrainerCallback):
    """Takes back what accelerate makes of the model's forward where there is a gradient scaler."""

    def __init__(self, trainer: MultiTaskTrainer) -> None:
        self._trainer = trainer

    def on_train_begin(self, *args: Any, **kwargs: Any) -> None:
        """Leave mixed precision to `compute_task_losses`."""
        self._trainer.accelerator.unwrap_model(self._trainer.model, keep_fp32_wrapper=False)


def _not_saved(checkpoint: Path, error: Exception) -> TrainingError:
    """Return the error of a checkpoint that could not be saved: the disk's, or another, as what it is."""
    if (refusal := disk_refusal(error)) is not None:
        return TrainingError(
            f"{checkpoint}: the checkpoint cannot be written ({refusal.reason}). Earlier checkpoints are intact; "
            f"{refusal.hint}, then go on with {RESUME}."
        )
    return TrainingError(
        f"{checkpoint}: saving the checkpoint ended in {type(error).__name__}: {first_line(error)[:200]}. Earlier "
        f"checkpoints are intact; go on with {RESUME}."
    )
