"""Checkpoints of a run: complete ones only, the best and the latest kept."""

import json
import shutil
from pathlib import Path

from transformers import TrainerState
from transformers.trainer import TRAINER_STATE_NAME

from equipoise.digests import digest_folder, find_damage
from equipoise.errors import TrainingError
from equipoise.files import write_json
from equipoise.temporaries import clean_leftovers_in

_COMPLETE = "complete"


def mark_complete(checkpoint: Path) -> None:
    """Declare that everything in a checkpoint is written; called last."""
    # What a kill has left in here goes when the declaration is written, and must not be in it.
    clean_leftovers_in(checkpoint)
    write_json(checkpoint / _COMPLETE, digest_folder(checkpoint))


def latest_checkpoint(folder: Path) -> Path | None:
    """Return the newest complete checkpoint, or None; `check_checkpoint` says whether it is as it was written."""
    complete = [path for path in _checkpoints(folder) if (path / _COMPLETE).exists()]
    return max(complete, key=_step, default=None)


def check_checkpoint(checkpoint: Path) -> None:
    """Make sure that a checkpoint is as it was written.

    Raises:
        TrainingError: a file is missing, or is not what was written.
    """
    try:
        digests = json.loads((checkpoint / _COMPLETE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        digests = None
    if not isinstance(digests, dict) or not all(isinstance(digest, str) for digest in digests.values()):
        raise damaged(checkpoint / _COMPLETE, "found no list of files and digests")
    if damage := find_damage(checkpoint, digests):
        raise damaged(checkpoint / damage[0], f"found {damage[1]}")


def damaged(file: Path, finding: str) -> TrainingError:
    """Return the error of a damaged checkpoint, with the way out."""
    return TrainingError(
        f"{file}: {finding}: the checkpoint is damaged. Start anew with --overwrite, or remove the folder "
        f"{file.parent} to go on from an earlier checkpoint, if there is one."
    )


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
    for checkpoint in _checkpoints(folder):
        if _step(checkpoint) not in keep:
            shutil.rmtree(checkpoint)


def _checkpoints(folder: Path) -> list[Path]:
    return [path for path in folder.glob("checkpoint-*") if path.name.removeprefix("checkpoint-").isdecimal()]


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])
