"""The heat map expert × task."""

from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from equipoise.evaluation import METRICS

from .figures import STYLE, WIDTH, short
from .svg import INK, RULE, SERIES, to_svg
from .tables import write_number

PROBE = "°"
"""What stands behind the value of a linear probe."""
_ROW, _LETTER = 46, 7.4
_STRONGEST = 0.5
"""Opacity of the largest difference: text stays readable on it, on the light page and on the dark one."""
_NARROW = 64
"""Below this many pixels a cell has room for its value alone."""


def plot_experts(results: Mapping[str, Any]) -> Markup:
    """Plot each model's primary metric on each task of test, coloured by the difference to the base.

    Blue is better than the base, orange worse, colours that also stay apart for colour-blind readers; the difference is
    written under the value, and each expert's own task is framed.
    """
    tasks, rows = results["tasks"], results["rows"]
    base = rows[0]["metrics"]["test"]
    gains = {
        (y, x): row["metrics"]["test"][task]["value"] - base[task]["value"]
        for y, row in enumerate(rows)
        for x, task in enumerate(tasks)
        if y and task in row["metrics"]["test"] and task in base
    }
    largest = max(map(abs, gains.values()), default=0.0) or 1.0
    margin = _LETTER * max(len(short(row["name"])) for row in rows) + 16
    longest = _LETTER * max(len(short(task)) for task in tasks)
    side = (WIDTH - margin - 4) / len(tasks)
    turned = longest > side - 8
    # A name turned by 35° takes so much of its length to the right, and upwards.
    right = 4 + (max(0.0, 0.92 * longest - 0.65 * side) if turned else 0)
    top = 10 + (0.66 * longest + 14 if turned else 18)
    side = (WIDTH - margin - right) / len(tasks)
    height = top + _ROW * len(rows) + 4
    with mpl.rc_context({**STYLE, "axes.grid": False}):
        figure = Figure(figsize=(WIDTH / 72, height / 72))
        axes = figure.add_axes(
            (margin / WIDTH, 4 / height, (WIDTH - margin - right) / WIDTH, _ROW * len(rows) / height)
        )
        axes.set_xlim(0, len(tasks))
        axes.set_ylim(len(rows), 0)
        axes.axis("off")
        for x, task in enumerate(tasks):
            look = {"rotation": 35, "ha": "left"} if turned else {"ha": "center"}
            axes.text(x + (0.3 if turned else 0.5), -6 / _ROW, short(task), va="bottom", parse_math=False, **look)
        for y, row in enumerate(rows):
            axes.text(-12 / side, y + 0.5, short(row["name"]), ha="right", va="center", parse_math=False)
            for x, task in enumerate(tasks):
                _draw_cell(axes, x, y, row, task, gains.get((y, x)), largest, side)
        said = "; ".join(
            f"{row['name']}: "
            + ", ".join(
                f"{task} {row['metrics']['test'][task]['value']:.3f}" if task in row["metrics"]["test"] else f"{task} –"
                for task in tasks
            )
            for row in rows
        )
        about = ", ".join(f"{METRICS[task['metric']].label} of {name}" for name, task in tasks.items())
        return to_svg(figure, "experts", f"Heat map of the experts on test, {about}. {said}.")


def _draw_cell(
    axes: Any, x: int, y: int, row: Mapping[str, Any], task: str, gain: float | None, largest: float, side: float
) -> None:
    record, how = row["metrics"]["test"].get(task), row["cells"][task]["how"]
    place, width, height = (x + 2 / side, y + 2 / _ROW), 1 - 4 / side, 1 - 4 / _ROW
    colour = SERIES[0] if (gain or 0) >= 0 else SERIES[1]
    strength = _STRONGEST * abs(gain or 0) / largest
    axes.add_patch(Rectangle(place, width, height, facecolor=colour, alpha=strength, linewidth=0))
    frame: dict[str, Any] = (
        {"edgecolor": INK, "linewidth": 2.0} if how == "own" else {"edgecolor": RULE, "linewidth": 0.8}
    )
    axes.add_patch(Rectangle(place, width, height, fill=False, **frame))
    centre = {"ha": "center", "va": "center", "color": INK}
    if record is None:
        axes.text(x + 0.5, y + 0.5, "–", **centre)
        return
    value = write_number(record["value"], 3) + PROBE * (how == "probe")
    weight = "bold" if how == "own" else "normal"
    if gain is None or side < _NARROW:
        axes.text(x + 0.5, y + 0.5, value, fontweight=weight, fontsize=min(12.5, side / 4), **centre)
        return
    axes.text(x + 0.5, y + 0.36, value, fontweight=weight, **centre)
    sign = "+" if gain >= 0 else ""
    axes.text(x + 0.5, y + 0.72, sign + write_number(gain, 3), fontsize=10.5, **centre)
