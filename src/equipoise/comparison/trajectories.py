"""Task weights and losses over the steps, averaged over seeds."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from equipoise.reporting import Course

_POINTS = 60


def mean_courses(folders: Sequence[Path], tasks: Sequence[str]) -> dict[str, Course]:
    """Return each task's weight and loss over the steps: means over seeds and a sixtieth of the run.

    Args:
        folders: the run folders, one a seed; one without a log is passed over.
        tasks: the tasks' names.

    Returns:
        The courses by task; a step is the middle of a sixtieth, which is left out where the task was absent.
    """
    lines = [line for folder in folders for line in _read(folder / "log.jsonl")]
    if not lines:
        return {}
    last = max(line["step"] for line in lines)
    edges = np.linspace(0, last, min(_POINTS, last) + 1)
    middles = (edges[:-1] + edges[1:] + 1) / 2
    courses = {}
    for task in tasks:
        # A loss that was not finite stands in the log as null.
        points = [
            (line["step"], line["weights"][task], line["losses"][task])
            for line in lines
            if line["losses"].get(task) is not None
        ]
        if not points:
            continue
        steps, weights, losses = np.array(points, dtype=np.float64).T
        intervals = np.searchsorted(edges, steps, side="left") - 1
        counts = np.bincount(intervals, minlength=len(middles))
        present = counts > 0
        mean_weights, mean_losses = (
            (np.bincount(intervals, values, minlength=len(middles))[present] / counts[present]).tolist()
            for values in (weights, losses)
        )
        courses[task] = Course(
            steps=middles[present].round(2).tolist(),
            weights=[round(value, 4) for value in mean_weights],
            losses=[float(f"{value:.4g}") for value in mean_losses],
        )
    return courses


def _read(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if "weights" in line]
