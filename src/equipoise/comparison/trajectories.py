"""Task weights over the steps, averaged over seeds."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

_POINTS = 60


def mean_weights(folders: Sequence[Path], tasks: Sequence[str]) -> dict[str, dict[str, list[float]]]:
    """Return each task's weight over the steps: the mean over seeds and a sixtieth of the run.

    Args:
        folders: the run folders, one a seed; one without a log is passed over.
        tasks: the tasks' names.

    Returns:
        By task "steps" (the middle of each part) and "weights"; a part in which the task was absent is left out.
    """
    lines = [line for folder in folders for line in _read(folder / "log.jsonl")]
    if not lines:
        return {}
    last = max(line["step"] for line in lines)
    edges = np.linspace(0, last, min(_POINTS, last) + 1)
    found = {}
    for task in tasks:
        points = [(line["step"], line["weights"][task]) for line in lines if task in line["losses"]]
        if not points:
            continue
        steps, weights = np.array(points, dtype=np.float64).T
        part = np.searchsorted(edges, steps, side="left") - 1
        counts = np.bincount(part, minlength=len(edges) - 1)
        means = np.bincount(part, weights, minlength=len(edges) - 1) / np.maximum(counts, 1)
        middles = (edges[:-1] + edges[1:] + 1) / 2
        found[task] = {
            "steps": middles[counts > 0].round(2).tolist(),
            "weights": means[counts > 0].round(4).tolist(),
        }
    return found


def _read(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if "weights" in line]
