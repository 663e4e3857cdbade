"""Task weights and losses over the steps, averaged over seeds."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

_POINTS = 60


def mean_courses(folders: Sequence[Path], tasks: Sequence[str]) -> dict[str, dict[str, list[float]]]:
    """Return each task's weight and loss over the steps: means over seeds and a sixtieth of the run.

    Args:
        folders: the run folders, one a seed; one without a log is passed over.
        tasks: the tasks' names.

    Returns:
        By task "steps" (the middle of each part), "weights" and "losses"; a part in which the task was absent is left
        out.
    """
    lines = [line for folder in folders for line in _read(folder / "log.jsonl")]
    if not lines:
        return {}
    last = max(line["step"] for line in lines)
    edges = np.linspace(0, last, min(_POINTS, last) + 1)
    middles = (edges[:-1] + edges[1:] + 1) / 2
    found = {}
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
        part = np.searchsorted(edges, steps, side="left") - 1
        counts = np.bincount(part, minlength=len(middles))
        there = counts > 0
        means = {
            key: (np.bincount(part, values, minlength=len(middles))[there] / counts[there]).tolist()
            for key, values in (("weights", weights), ("losses", losses))
        }
        found[task] = {
            "steps": middles[there].round(2).tolist(),
            "weights": [round(value, 4) for value in means["weights"]],
            "losses": [float(f"{value:.4g}") for value in means["losses"]],
        }
    return found


def _read(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if "weights" in line]
