"""Coverage of sets and intervals as rows of a table."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from equipoise.evaluation import LEVELS, Record
from equipoise.kinds import Task

from .tables import digits_for, write_number


class CoverageRow(NamedTuple):
    """What sets, or intervals, of a task hold at a level, written out."""

    task: str
    level: str
    coverage: str
    interval: str
    size: str


def coverage_rows(records: Sequence[Record], tasks: Mapping[str, Task]) -> list[CoverageRow]:
    """Return the rows of the tasks that were measured on test, level by level.

    Args:
        records: those of a run.
        tasks: its tasks.
    """
    found = {(one["task"], one["metric"]): one for one in records if one["split"] == "test" and one["model"] == "run"}
    rows = []
    for name, task in tasks.items():
        for percent in (round(100 * level) for level in LEVELS):
            covered = found.get((name, f"coverage_{percent}"))
            size = found.get((name, f"{task.size_metric}_{percent}"))
            if covered is None or size is None:
                continue
            low, high = covered["low"], covered["high"]
            interval = "" if low is None or high is None else f"[{100 * low:.1f}, {100 * high:.1f}]"
            shown = write_number(size["value"], digits_for(size["value"]))
            rows.append(CoverageRow(name, f"{percent} %", f"{100 * covered['value']:.1f} %", interval, shown))
    return rows
