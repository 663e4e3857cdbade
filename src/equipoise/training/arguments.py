"""What `transformers.Trainer` calls the run file's settings."""

from pathlib import Path

from transformers import TrainingArguments

from equipoise.config import TrainConfig
from equipoise.devices import choose_device

from .processes import on_cpus

_SCHEDULES = {"linear": "linear", "cosine": "cosine", "constant": "constant_with_warmup"}


def make_arguments(config: TrainConfig, checkpoints: Path) -> TrainingArguments:
    """Return a trainer's arguments.

    Args:
        config: the run file's `train` section.
        checkpoints: the folder of the checkpoints.
    """
    device = "cpu" if on_cpus() else choose_device().type
    return TrainingArguments(
        output_dir=str(checkpoints),
        run_name=checkpoints.parent.name,
        num_train_epochs=config.epochs,
        max_steps=config.max_steps or -1,
        per_device_train_batch_size=config.batch_size,
        gradient_accumulation_steps=config.gradient_accumulation,
        learning_rate=config.learning_rate,
        weight_decay=config.weight_decay,
        warmup_steps=config.warmup,
        lr_scheduler_type=_SCHEDULES[config.schedule],
        max_grad_norm=config.max_grad_norm,
        seed=config.seed,
        logging_steps=config.log_every,
        logging_nan_inf_filter=False,
        # Checkpoints are saved on the schedule of ScoreOnSchedule, never by step count.
        save_strategy="steps",
        save_steps=2**31,
        metric_for_best_model="run_score",
        greater_is_better=True,
        restore_callback_states_from_checkpoint=True,
        remove_unused_columns=False,
        fp16=config.precision == "fp16",
        use_cpu=device == "cpu",
        # Every head is in the graph of every batch.
        ddp_find_unused_parameters=False,
        # A GPU takes a batch out of pinned memory while it still computes on the one before.
        dataloader_pin_memory=device == "cuda",
        accelerator_config={"non_blocking": device == "cuda"},
        disable_tqdm=True,
        report_to="none",
    )
