"""A heat map of models × tasks: values, and how far they are from the first line's."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from .figures import STYLE, WIDTH, short
from .svg import INK, RULE, SERIES, to_svg
from .tables import write_number

_ROW, _LETTER = 46, 7.4
_STRONGEST = 0.5
"""Opacity of the largest difference: text stays readable on it, on the light page and on the dark one."""
_NARROW = 64
"""Below this many pixels a cell has room for its value alone."""


class Line(NamedTuple):
    """A line of the heat map: a name, values by task, the tasks that are framed, what stands behind values by task."""

    name: str
    values: Mapping[str, float]
    framed: Collection[str] = ()
    marks: Mapping[str, str] = {}


def plot_heat_map(tasks: Sequence[str], lines: Sequence[Line], name: str, about: str) -> Markup:
    """Plot values by line and task, coloured by the difference to the first line.

    Blue is better than it, orange worse, colours that also stay apart for colour-blind readers; the difference is
    written under the value.

    Args:
        tasks: the columns.
        lines: the lines; where one has no value for a task, a dash stands.
        name: prefix of the element ids, unique in the page.
        about: what the description for screen readers begins with.
    """
    base = lines[0].values
    gains = {
        (y, x): line.values[task] - base[task]
        for y, line in enumerate(lines)
        for x, task in enumerate(tasks)
        if y and task in line.values and task in base
    }
    largest = max(map(abs, gains.values()), default=0.0) or 1.0
    margin = _LETTER * max(len(short(line.name)) for line in lines) + 16
    longest = _LETTER * max(len(short(task)) for task in tasks)
    side = (WIDTH - margin - 4) / len(tasks)
    turned = longest > side - 8
    # A name turned by 35° takes so much of its length to the right, and upwards.
    right = 4 + (max(0.0, 0.92 * longest - 0.65 * side) if turned else 0)
    top = 10 + (0.66 * longest + 14 if turned else 18)
    side = (WIDTH - margin - right) / len(tasks)
    height = top + _ROW * len(lines) + 4
    with mpl.rc_context({**STYLE, "axes.grid": False}):
        figure = Figure(figsize=(WIDTH / 72, height / 72))
        axes = figure.add_axes(
            (margin / WIDTH, 4 / height, (WIDTH - margin - right) / WIDTH, _ROW * len(lines) / height)
        )
        axes.set_xlim(0, len(tasks))
        axes.set_ylim(len(lines), 0)
        axes.axis("off")
        for x, task in enumerate(tasks):
            look = {"rotation": 35, "ha": "left"} if turned else {"ha": "center"}
            axes.text(x + (0.3 if turned else 0.5), -6 / _ROW, short(task), va="bottom", parse_math=False, **look)
        for y, line in enumerate(lines):
            axes.text(-12 / side, y + 0.5, short(line.name), ha="right", va="center", parse_math=False)
            for x, task in enumerate(tasks):
                _draw_cell(axes, x, y, line, task, gains.get((y, x)), largest, side)
        said = "; ".join(
            f"{line.name}: "
            + ", ".join(f"{task} {line.values[task]:.3f}" if task in line.values else f"{task} –" for task in tasks)
            for line in lines
        )
        return to_svg(figure, name, f"{about} {said}.")


def _draw_cell(
    axes: Any, x: int, y: int, line: Line, task: str, gain: float | None, largest: float, side: float
) -> None:
    place, width, height = (x + 2 / side, y + 2 / _ROW), 1 - 4 / side, 1 - 4 / _ROW
    colour = SERIES[0] if (gain or 0) >= 0 else SERIES[1]
    strength = _STRONGEST * abs(gain or 0) / largest
    axes.add_patch(Rectangle(place, width, height, facecolor=colour, alpha=strength, linewidth=0))
    framed = task in line.framed
    frame: dict[str, Any] = {"edgecolor": INK, "linewidth": 2.0} if framed else {"edgecolor": RULE, "linewidth": 0.8}
    axes.add_patch(Rectangle(place, width, height, fill=False, **frame))
    centre = {"ha": "center", "va": "center", "color": INK}
    if task not in line.values:
        axes.text(x + 0.5, y + 0.5, "–", **centre)
        return
    value = write_number(line.values[task], 3) + line.marks.get(task, "")
    weight = "bold" if framed else "normal"
    if gain is None or side < _NARROW:
        axes.text(x + 0.5, y + 0.5, value, fontweight=weight, fontsize=min(12.5, side / 4), **centre)
        return
    axes.text(x + 0.5, y + 0.36, value, fontweight=weight, **centre)
    sign = "+" if gain >= 0 else ""
    axes.text(x + 0.5, y + 0.72, sign + write_number(gain, 3), fontsize=10.5, **centre)
