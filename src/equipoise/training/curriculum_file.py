"""The curriculum of a run: measured once, kept in the run's folder."""

import json
import time
from pathlib import Path

from equipoise.config import RunConfig
from equipoise.curriculum import NEED_FEATURES, Curriculum, measure_table
from equipoise.data import Table
from equipoise.errors import TrainingError, UsageError
from equipoise.files import to_json, write_text

from .budget import count_steps

CURRICULUM = "curriculum.json"


def check_curriculum(config: RunConfig) -> None:
    """Refuse a curriculum that cannot be measured.

    Raises:
        UsageError: it goes by features of a backbone that starts from nothing.
    """
    settings = config.curriculum
    if settings.schedule != "none" and settings.by in NEED_FEATURES and config.model == "bilstm":
        raise UsageError(
            f"curriculum.by: found {settings.by}, which reads the features of the backbone, but bilstm starts from "
            "nothing; take by: metadata, or a pre-trained model."
        )


def open_curriculum(config: RunConfig, table: Table, folder: Path) -> dict | None:
    """Return the difficulty that a run's curriculum goes by, from its folder or measured now; None without curriculum.

    Args:
        config: the run file.
        table: its table.
        folder: the run's folder; `curriculum.json` is written there.

    Returns:
        "by", "schedule", "order" (tasks, easy before hard), "difficulty" (by task, of its training labels in row
        order), "seconds" it took, "notes".

    Raises:
        ModelError: the backbone cannot be loaded.
        TrainingError: the file is damaged.
    """
    settings, path = config.curriculum, folder / CURRICULUM
    if settings.schedule == "none":
        return None
    if path.exists():
        return read_curriculum(folder)
    began = time.monotonic()
    found = measure_table(table, config, (settings.by,), "Measuring difficulty")
    kept = {
        "by": settings.by,
        "schedule": settings.schedule,
        "order": found.order(settings.by),
        "difficulty": {name: task.examples(settings.by).tolist() for name, task in found.tasks.items()},
        "seconds": round(time.monotonic() - began, 1),
        "notes": found.notes,
    }
    write_text(path, to_json(kept) + "\n")
    return kept


def read_curriculum(folder: Path) -> dict:
    """Read what `open_curriculum` wrote.

    Raises:
        TrainingError: the file is damaged.
    """
    try:
        kept: dict = json.loads((folder / CURRICULUM).read_text(encoding="utf-8"))
        kept["order"], kept["difficulty"], kept["seconds"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{folder / CURRICULUM}: cannot be read ({error}); start anew with --overwrite.") from None
    return kept


def make_curriculum(config: RunConfig, table: Table, kept: dict | None) -> Curriculum | None:
    """Return the order in which a run meets its examples, None where there is no curriculum."""
    if kept is None:
        return None
    size = len(table.splits["train"])
    rows = {name: table.rows(name, "train") for name in table.tasks}
    return Curriculum(config.curriculum, kept["difficulty"], rows, kept["order"], size, count_steps(config.train, size))
