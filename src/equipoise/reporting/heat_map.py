"""A heat map of models × tasks: values, and how far they are from the first line's."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from .figures import STYLE, WIDTH
from .line_names import short
from .svg import INK, RULE, SERIES, to_svg
from .tables import write_number

_ROW, _LETTER = 46, 7.4
_STRONGEST = 0.5
"""Opacity of the largest difference: text stays readable on it, on the light page and on the dark one."""
_WIDEST = 160
"""A cell is at most so wide."""
_NARROW, _WITH_INTERVAL = 64, 96
"""Below this many pixels a cell has room for its value alone; below the second not for an interval."""


class Line(NamedTuple):
    """A line of the heat map: a name, values by task, the tasks that are framed, what stands behind values by task."""

    name: str
    values: Mapping[str, float]
    framed: Collection[str] = ()
    marks: Mapping[str, str] = {}


class Gain(NamedTuple):
    """A cell of `plot_gains`: a gain in percent, its interval, and whether the cell is framed; None is not known."""

    value: float | None
    low: float = 0.0
    high: float = 0.0
    framed: bool = False


def plot_gains(columns: Sequence[str], lines: Mapping[str, Mapping[str, Gain]], name: str, about: str) -> Markup:
    """Plot gains in percent by line and column: blue above zero, orange below, intervals under the values.

    Args:
        columns: the columns.
        lines: by line the gains by column; where a line has none for a column, a dash stands.
        name: prefix of the element ids, unique in the page.
        about: what the description for screen readers begins with.
    """
    known = [gain.value for line in lines.values() for gain in line.values() if gain.value is not None]
    largest = max(map(abs, known), default=0.0) or 1.0
    layout = _Layout.of(columns, list(lines), largest)
    with mpl.rc_context({**STYLE, "axes.grid": False}):
        figure, axes = layout.draw(columns)
        for y, (line, gains) in enumerate(lines.items()):
            layout.name_line(axes, y, line)
            for x, column in enumerate(columns):
                layout.draw_gain(axes, (x, y), gains.get(column))
        said = "; ".join(
            f"{line}: " + ", ".join(f"{column} {_say(gains[column].value)}" for column in columns if column in gains)
            for line, gains in lines.items()
        )
        return to_svg(figure, name, f"{about} {said}.")


def plot_heat_map(tasks: Sequence[str], lines: Sequence[Line], name: str, about: str) -> Markup:
    """Plot values by line and task, colored by the difference to the first line.

    Blue is better than it, orange worse, colors that also stay apart for color-blind readers; the difference is
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
    layout = _Layout.of(tasks, [line.name for line in lines], largest)
    with mpl.rc_context({**STYLE, "axes.grid": False}):
        figure, axes = layout.draw(tasks)
        for y, line in enumerate(lines):
            layout.name_line(axes, y, line.name)
            for x, task in enumerate(tasks):
                layout.draw_cell(axes, (x, y), line, task, gains.get((y, x)))
        said = "; ".join(
            f"{line.name}: "
            + ", ".join(f"{task} {line.values[task]:.3f}" if task in line.values else f"{task} –" for task in tasks)
            for line in lines
        )
        return to_svg(figure, name, f"{about} {said}.")


def _say(value: float | None) -> str:
    return "not known" if value is None else f"{value:.1f} %"


def write_gain(value: float) -> str:
    """Write a gain in percent, with its sign."""
    return ("+" if value >= 0.05 else "") + write_number(value, 1)


@dataclass(frozen=True)
class _Layout:
    """Where things stand, in pixels, and the largest difference.

    Args:
        lines: how many lines there are.
        width: of the whole map.
        margin: the room for the lines' names.
        right, top: the room for the tasks' names.
        side: the width of a cell.
        turned: whether the tasks' names are turned by 35°.
        largest: the largest difference.
    """

    lines: int
    width: float
    margin: float
    right: float
    top: float
    side: float
    turned: bool
    largest: float

    @classmethod
    def of(cls, tasks: Sequence[str], lines: Sequence[str], largest: float) -> "_Layout":
        margin = _LETTER * max(len(short(line)) for line in lines) + 16
        longest = _LETTER * max(len(short(task)) for task in tasks)
        side = min(_WIDEST, (WIDTH - margin - 4) / len(tasks))
        turned = longest > side - 8
        # A name turned by 35° takes so much of its length to the right, and upwards.
        right = 4 + (max(0.0, 0.92 * longest - 0.65 * side) if turned else 0)
        top = 10 + (0.66 * longest + 14 if turned else 18)
        side = min(_WIDEST, (WIDTH - margin - right) / len(tasks))
        width = margin + right + side * len(tasks)
        return cls(len(lines), width, margin, right, top, side, turned, largest)

    def draw(self, tasks: Sequence[str]) -> tuple[Figure, Axes]:
        """Draw the empty map with the tasks' names."""
        inner = _ROW * self.lines
        height = self.top + inner + 4
        figure = Figure(figsize=(self.width / 72, height / 72))
        width = (self.width - self.margin - self.right) / self.width
        axes = figure.add_axes((self.margin / self.width, 4 / height, width, inner / height))
        axes.set_xlim(0, len(tasks))
        axes.set_ylim(self.lines, 0)
        axes.axis("off")
        look: dict[str, Any] = {"rotation": 35, "ha": "left"} if self.turned else {"ha": "center"}
        for x, task in enumerate(tasks):
            place = x + (0.3 if self.turned else 0.5)
            axes.text(place, -6 / _ROW, short(task), va="bottom", parse_math=False, **look)
        return figure, axes

    def name_line(self, axes: Axes, y: int, name: str) -> None:
        """Write a line's name before it."""
        axes.text(-12 / self.side, y + 0.5, short(name), ha="right", va="center", parse_math=False)

    def draw_gain(self, axes: Axes, at: tuple[int, int], gain: Gain | None) -> None:
        """Draw a gain and its interval."""
        value, framed = (gain.value, gain.framed) if gain else (None, False)
        self.fill(axes, at, value or 0.0, framed)
        if gain is None or value is None:
            self.write(axes, at, "–", framed=framed)
            return
        low, high = (write_number(bound, 1) for bound in (gain.low, gain.high))
        below = f"[{low}, {high}]" if self.side >= _WITH_INTERVAL else None
        self.write(axes, at, write_gain(value), below, framed)

    def draw_cell(self, axes: Axes, at: tuple[int, int], line: Line, task: str, gain: float | None) -> None:
        """Draw a value, colored by its difference from the first line's."""
        framed = task in line.framed
        if task not in line.values:
            self.fill(axes, at, 0.0, framed)
            self.write(axes, at, "–")
            return
        self.fill(axes, at, gain or 0.0, framed)
        value = write_number(line.values[task], 3) + line.marks.get(task, "")
        below = None if gain is None else ("+" if gain >= 0 else "") + write_number(gain, 3)
        self.write(axes, at, value, below if self.side >= _NARROW else None, framed)

    def fill(self, axes: Axes, at: tuple[int, int], gain: float, framed: bool) -> None:
        """Color a cell by a gain, and frame it."""
        x, y = at
        place, width, height = (x + 2 / self.side, y + 2 / _ROW), 1 - 4 / self.side, 1 - 4 / _ROW
        color = SERIES[0] if gain >= 0 else SERIES[1]
        strength = _STRONGEST * min(1.0, abs(gain) / self.largest)
        axes.add_patch(Rectangle(place, width, height, facecolor=color, alpha=strength, linewidth=0))
        frame: dict[str, Any] = (
            {"edgecolor": INK, "linewidth": 2.0} if framed else {"edgecolor": RULE, "linewidth": 0.8}
        )
        axes.add_patch(Rectangle(place, width, height, fill=False, **frame))

    def write(
        self, axes: Axes, at: tuple[int, int], value: str, below: str | None = None, framed: bool = False
    ) -> None:
        """Write a value into a cell, and something under it where there is room."""
        x, y = at
        center: dict[str, Any] = {"ha": "center", "va": "center", "color": INK}
        weight = "bold" if framed else "normal"
        if below is None:
            axes.text(x + 0.5, y + 0.5, value, fontweight=weight, fontsize=min(12.5, self.side / 4), **center)
            return
        axes.text(x + 0.5, y + 0.36, value, fontweight=weight, **center)
        axes.text(x + 0.5, y + 0.72, below, fontsize=10.5, **center)
