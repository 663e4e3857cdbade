"""Checkpoints of a run: complete ones only, the best and the latest kept."""

import shutil
from pathlib import Path

from transformers import TrainerState
from transformers.trainer import TRAINER_STATE_NAME

from equipoise.files import write_text

_COMPLETE = "complete"


def mark_complete(checkpoint: Path) -> None:
    """Declare that everything in a checkpoint is written; called last."""
    write_text(checkpoint / _COMPLETE, "")


def latest_checkpoint(folder: Path) -> Path | None:
    """Return the newest complete checkpoint, or None."""
    complete = _complete(folder)
    return complete[-1] if complete else None


def read_state(checkpoint: Path) -> TrainerState:
    """Return the trainer's state that lies in a checkpoint."""
    return TrainerState.load_from_json(str(checkpoint / TRAINER_STATE_NAME))


def has_ended(state: TrainerState, patience: int | None) -> bool:
    """Whether training has come to its end: the last step is taken, or patience has run out."""
    if state.global_step >= state.max_steps:
        return True
    saved = state.stateful_callbacks.get("Patience", {}).get("attributes", {})
    return patience is not None and saved.get("early_stopping_patience_counter", 0) >= patience


def checkpoint_at(folder: Path, step: int) -> Path:
    """The checkpoint of a step."""
    return folder / f"checkpoint-{step}"


def remove_others(folder: Path, keep: set[int]) -> None:
    """Remove every checkpoint, complete or not, but those of the steps to keep."""
    for checkpoint in folder.glob("checkpoint-*"):
        if _step(checkpoint) not in keep:
            shutil.rmtree(checkpoint)


def _complete(folder: Path) -> list[Path]:
    return sorted((path.parent for path in folder.glob(f"checkpoint-*/{_COMPLETE}")), key=_step)


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])
