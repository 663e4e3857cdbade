"""What is said of a run after a few of its steps: time, memory, and labels that are probably wrong."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from equipoise.auditing import (
    AuditedData,
    Example,
    Finding,
    Level,
    Tally,
    count_rows,
    make_finding,
    sample,
    show_place,
)
from equipoise.curriculum import NEED_FEATURES, measure_table
from equipoise.data import Table
from equipoise.kinds import make_analysis
from equipoise.modeling import bfloat16_parameters
from equipoise.precision import PURE_BF16
from equipoise.progress import format_seconds

from .prepared_run import PreparedRun
from .reckoning import training_memory
from .rehearsal import Rehearsal, rehearse
from .sharding import whole_parameters

_LARGEST = 200_000_000
"""Parameters of a backbone whose features are read for a check, at most."""
_FEWEST = 100
"""Labels of a task, at least, before some of them are suspected."""
_LEAST_BITS = 0.1
"""Bits that the features give about a label, on average, before they can speak against one."""
_MEMORY = 0.9
_SHARES = 8
"""GPUs of a machine, as most that have several have them."""
_SMALL = 8_000_000_000
"""Bytes that nearly every GPU has: what needs no more is shared out for no want of memory."""


def find_needs(run: PreparedRun) -> Iterator[Finding]:
    """Reckon the memory of a run's weights on one device, and of large ones on each of several that share them out."""
    pure = run.config.train.precision == PURE_BF16
    rounded = bfloat16_parameters(run.model.backbone) if pure else ()
    needed = training_memory(run.model, whole_parameters(run.model), rounded)
    alone, shared, scoring = map(_show_size, (needed.on_each(), needed.on_each(_SHARES), needed.weights))
    words = f"{alone} on one device; "
    if needed.on_each() > _SMALL:
        words += (
            f"{shared} on each of {_SHARES} that share the model out, and {scoring} more on the first while it scores; "
        )
    words += "activations come on top"
    yield make_finding("R04", "weights, gradients and AdamW's states", words, round(needed.on_each() / 1e6))


def _show_size(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"


def find_estimates(run: PreparedRun) -> Iterator[Finding]:
    """Estimate the time and the memory of a run by a few steps; its model is no longer of use afterwards."""
    found = rehearse(run)
    yield make_finding("R01", "training", _describe_time(found), round(found.seconds))
    known = found.memory_mb < float("inf")
    level: Level = "warning" if found.peak_mb > _MEMORY * found.memory_mb else "note"
    there = f" of {found.memory_mb / 1000:.1f}" if known else ""
    yield make_finding(
        "R02", "training", f"about {found.peak_mb / 1000:.1f}{there} GB", round(found.peak_mb), level=level
    )


def _describe_time(found: Rehearsal) -> str:
    steps = f"{found.steps:,} steps of {found.step_seconds:.2g} s"
    return f"about {format_seconds(found.seconds)}: {steps}, and {format_seconds(found.scoring_seconds)} for scoring"


def find_wrong_labels(run: PreparedRun, data: AuditedData, label: str | None = None) -> Iterator[Finding]:
    """Look for training labels that the backbone's frozen features speak against, in a sample of the rows.

    See `equipoise.curriculum.TaskDifficulty.suspected`. Large backbones are left out: it would take too long.

    Args:
        run: the run.
        data: its rows, as they were read.
        label: what a progress bar says while texts are encoded; None shows none.
    """
    table = run.table
    tasks = {
        name: task
        for name, task in table.tasks.items()
        if make_analysis(task).measures_features and len(table.rows(name, "train")) >= _FEWEST
    }
    size = sum(parameter.numel() for parameter in run.model.backbone.parameters())
    if not tasks or run.config.model == "bilstm" or size > _LARGEST:
        return
    rows = np.unique(np.concatenate([table.rows(name, "train") for name in tasks]))
    rows = rows[list(sample(len(rows), "labels"))]
    small = replace(table, tasks=tasks, splits={"train": table.splits["train"].select(rows)})
    for name, found in measure_table(small, run.config, NEED_FEATURES, label).tasks.items():
        if found.suspected is None or found.pvi is None or found.pvi.values.mean() < _LEAST_BITS:
            continue
        suspected = np.flatnonzero(found.suspected)
        worst = suspected[np.argsort(found.pvi.values[suspected], kind="stable")]
        if len(suspected):
            words, tally = "labels that are probably wrong", Tally("train", len(suspected), len(found.rows))
            examples = [_show(small, data, name, place) for place in worst[:3].tolist()]
            yield count_rows("L14", f"task '{name}'", words, tally, examples=examples)


def _show(table: Table, data: AuditedData, name: str, place: int) -> Example:
    """Return an example of the label at a place among a task's labels, where it stands in its file."""
    task = table.tasks[name]
    row = table.splits["train"][int(table.rows(name, "train")[place])]
    written = f"label {task.show_label(table.labels(name, 'train')[place])}"
    part = next(part for part in data.of_task(name) if part.split == "train")
    index = part.find_row(name, row["text"], row["pair"])
    assert index is not None  # the table is made of these rows
    return show_place(part.rows.place(index), row["text"], written)
