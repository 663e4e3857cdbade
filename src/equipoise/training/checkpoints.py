"""Checkpoints of a run: complete ones only, the best and the latest kept."""

import json
import re
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path

from transformers import TrainerState
from transformers.trainer import TRAINER_STATE_NAME

from equipoise.digests import digest_folder, find_damage
from equipoise.errors import OVERWRITE, TrainingError
from equipoise.files import write_json
from equipoise.temporaries import clean_leftovers_in, follow_umask, is_leftover_name, remove_folder

_COMPLETE = "complete"
_WRITTEN = re.compile(
    r"complete|trainer_state\.json|training_args\.bin|(model|optimizer)\.safetensors|(optimizer|scheduler|scaler|balancer)\.pt"
    r"|rng_state(_\d+)?\.pth"
)
"""The files of a checkpoint."""


def mark_complete(checkpoint: Path) -> None:
    """Declare that everything in a checkpoint is written; called last."""
    # What a kill has left in here goes when the declaration is written, and must not be in it.
    clean_leftovers_in(checkpoint)
    follow_umask(checkpoint)
    digests = digest_folder(checkpoint).items()
    write_json(checkpoint / _COMPLETE, {name: digest for name, digest in digests if _is_written([name])})


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
        f"{file}: {finding}: the checkpoint is damaged. Start from scratch with {OVERWRITE}, or remove the folder "
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


def checkpoint_strangers(folder: Path) -> list[str]:
    """Return what lies among checkpoints and was not written by a run, as paths below their folder."""
    checkpoints = {checkpoint.name for checkpoint in _checkpoints(folder)}
    found = []
    for path in _files_in(folder):
        first, *inner = path.parts
        if not is_leftover_name(first) and (first not in checkpoints or not _is_written(inner)):
            found.append(path.as_posix())
    return found


def remove_checkpoints(folder: Path, keep: Collection[int] = ()) -> None:
    """Remove every checkpoint, complete or not, but those of the steps to keep; and the folder, if it is empty then.

    What a run has not written stays.
    """
    for checkpoint in _checkpoints(folder):
        if _step(checkpoint) not in keep:
            remove_checkpoint(checkpoint)
    clean_leftovers_in(folder)
    with suppress(OSError):
        folder.rmdir()


def remove_checkpoint(checkpoint: Path) -> None:
    """Remove a checkpoint; of one that holds other files only what a run has written."""
    files = _files_in(checkpoint)
    ours = [path for path in files if _is_written(path.parts)]
    if len(ours) == len(files):
        with suppress(OSError):  # of a disk that is full
            remove_folder(checkpoint)
            return
    (checkpoint / _COMPLETE).unlink(missing_ok=True)  # first, so that it is known to be none
    for path in ours:
        (checkpoint / path).unlink(missing_ok=True)
    with suppress(OSError):
        checkpoint.rmdir()


def _files_in(folder: Path) -> list[Path]:
    """Return what is no folder, as sorted paths below `folder`."""
    return [path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_symlink() or not path.is_dir()]


def _is_written(path: Sequence[str]) -> bool:
    """Whether a run writes a file of this path, in parts, into a checkpoint."""
    return is_leftover_name(path[0]) or _WRITTEN.fullmatch("/".join(path)) is not None


def _checkpoints(folder: Path) -> list[Path]:
    found = [path for path in folder.glob("checkpoint-*") if path.name.removeprefix("checkpoint-").isdecimal()]
    return [path for path in found if path.is_dir()]


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])
