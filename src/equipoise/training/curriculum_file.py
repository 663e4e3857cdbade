"""The difficulty that a run's curriculum goes by: measured once, kept in the run's folder."""

import json
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from equipoise.config import RunConfig
from equipoise.curriculum import NEED_FEATURES, Curriculum, measure_table
from equipoise.data import Table
from equipoise.errors import OVERWRITE, TrainingError, UsageError
from equipoise.files import to_json, write_text

from .budget import count_steps

CURRICULUM = "curriculum.json"


@dataclass(frozen=True)
class MeasuredCurriculum:
    """What `curriculum.json` holds.

    Args:
        by: what difficulty is measured by.
        schedule: in which order training goes.
        order: the tasks, easy before hard.
        difficulty: by task, of its training labels in row order.
        seconds: how long measuring took.
        notes: what is not measured, and why: plain sentences.
    """

    by: str
    schedule: str
    order: list[str]
    difficulty: dict[str, list[float]]
    seconds: float
    notes: list[str]


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


def ensure_curriculum(config: RunConfig, table: Table, folder: Path) -> MeasuredCurriculum | None:
    """Return the difficulty that a run's curriculum goes by, from its folder or measured now; None without curriculum.

    Args:
        config: the run file.
        table: its table.
        folder: the run's folder; `curriculum.json` is written there.

    Raises:
        ModelError: the backbone cannot be loaded.
        TrainingError: the file is damaged.
    """
    settings, path = config.curriculum, folder / CURRICULUM
    if settings.schedule == "none":
        return None
    if path.exists():
        return read_curriculum(folder)
    started = time.monotonic()
    difficulty = measure_table(table, config, (settings.by,), "Measuring difficulty")
    measured = MeasuredCurriculum(
        by=settings.by,
        schedule=settings.schedule,
        order=difficulty.order(settings.by),
        difficulty={name: task.examples(settings.by).tolist() for name, task in difficulty.tasks.items()},
        seconds=round(time.monotonic() - started, 1),
        notes=difficulty.notes,
    )
    write_text(path, to_json(asdict(measured)) + "\n")
    return measured


def read_curriculum(folder: Path) -> MeasuredCurriculum:
    """Read what `ensure_curriculum` wrote.

    Raises:
        TrainingError: the file is damaged.
    """
    path = folder / CURRICULUM
    try:
        written = json.loads(path.read_text(encoding="utf-8"))
        return MeasuredCurriculum(**{field.name: written[field.name] for field in fields(MeasuredCurriculum)})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{path}: cannot be read ({error}); start from scratch with {OVERWRITE}.") from None


def make_curriculum(config: RunConfig, table: Table, measured: MeasuredCurriculum | None) -> Curriculum | None:
    """Return the order in which a run meets its examples, None where there is no curriculum."""
    if measured is None:
        return None
    size = len(table.splits["train"])
    rows = {name: table.rows(name, "train") for name in table.tasks}
    steps = count_steps(config.train, size)
    return Curriculum(config.curriculum, measured.difficulty, rows, measured.order, size, steps)
