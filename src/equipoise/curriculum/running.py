"""The difficulty of a run file's training examples, from the file to plain data."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from equipoise.config import RunConfig, load_config
from equipoise.data import Table, load_table
from equipoise.files import to_json, write_text
from equipoise.outputs import OutputKind

from .measuring import MEASURES, Difficulty, TaskDifficulty, measure_table, summarise

EXAMPLES_FILE = "difficulty.jsonl"
_FILES = {EXAMPLES_FILE, "difficulty.html"}


class MeasuredRun(NamedTuple):
    """A run file whose difficulty is measured.

    Args:
        config: the run file.
        table: its rows.
        difficulty: how difficult they are.
    """

    config: RunConfig
    table: Table
    difficulty: Difficulty


def measure_difficulty(run_file: str | Path | RunConfig, overrides: Sequence[str] = ()) -> MeasuredRun:
    """Measure the difficulty of a run file's tasks and training examples by every measure; nothing is written.

    Args:
        run_file: path of the run file, or a checked configuration.
        overrides: `key=value` settings that win over the file.

    Raises:
        UsageError: the run file is wrong.
        DataError: a file or a label is wrong.
        ModelError: the backbone cannot be loaded.
    """
    config = run_file if isinstance(run_file, RunConfig) else load_config(run_file, overrides)
    table = load_table(config)
    return MeasuredRun(config, table, measure_table(table, config, MEASURES, "Encoding texts"))


def gather_difficulty(measured: MeasuredRun) -> dict[str, Any]:
    """Return what the page and the terminal show, as plain data.

    Returns:
        "name" and "model" of the run file; "tasks": by name "kind", the figures of `summarise`, "correlations" (names
        and Spearman's ρ) and "examples_of" (arrays, where they are measured: "pvi", "confidence", "variability",
        "suspected"); "order": by measure the tasks, easy before hard; "notes".
    """
    config, table, difficulty = measured
    return {
        "name": config.output.name,
        "model": config.model,
        "tasks": {
            name: {
                "kind": table.tasks[name].summary,
                **summarise(figures),
                "correlations": {"names": list(figures.columns()), "values": figures.correlations()},
                "examples_of": _arrays(figures),
            }
            for name, figures in difficulty.tasks.items()
        },
        "order": {by: difficulty.order(by) for by in MEASURES},
        "notes": [*table.notes, *difficulty.notes],
    }


def _strangers(folder: Path) -> list[str]:
    return sorted({path.name for path in folder.iterdir()} - _FILES)


DIFFICULTY_OUTPUT = OutputKind("difficulty", lambda folder: (folder / EXAMPLES_FILE).is_file(), _strangers, whole=True)
"""What `equipoise difficulty` writes, and replaces."""


def write_examples(folder: Path, difficulty: Difficulty) -> None:
    """Write `difficulty.jsonl` into a folder: one line an example and task.

    A line holds "task", "row" (the example's number in the training split of the run file's table), "metadata" (the
    score), its parts, and where they are measured "pvi", "confidence", "variability", "forgetting" and "suspected".
    """
    lines = [line for name, figures in difficulty.tasks.items() for line in _lines(name, figures)]
    write_text(folder / EXAMPLES_FILE, "".join(to_json(line) + "\n" for line in lines))


def _lines(name: str, figures: TaskDifficulty) -> Iterator[dict[str, Any]]:
    columns = {"metadata": figures.metadata, **figures.parts, **_arrays(figures)}
    for place, row in enumerate(figures.rows.tolist()):
        values_of_row = {key: values[place].item() for key, values in columns.items()}
        yield {
            "task": name,
            "row": row,
            **{key: None if value != value else _rounded(value) for key, value in values_of_row.items()},
        }


def _arrays(figures: TaskDifficulty) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {} if figures.pvi is None else {"pvi": figures.pvi.values}
    if figures.dynamics is not None:
        arrays |= {key: getattr(figures.dynamics, key) for key in ("confidence", "variability", "forgetting")}
    return arrays if figures.suspected is None else {**arrays, "suspected": figures.suspected}


def _rounded(value: Any) -> Any:
    return round(value, 6) if isinstance(value, float) else value
