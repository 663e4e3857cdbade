"""The comparison's figures: every row's primary metrics, and the course of its task weights."""

import math
from collections.abc import Mapping, Sequence

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from equipoise.kinds import get_metric

from .compare_results import ComparedRow, Course, Estimate
from .figures import STYLE, WIDTH, line_style
from .line_names import short
from .svg import INK, MUTED, SERIES, to_svg

_ROW, _TOP, _BOTTOM, _GAP = 24, 34, 40, 30
_CHARACTERS = 30
_SAMPLE, _LETTER = 48, 7.4


def plot_metrics(metrics: Mapping[str, str], rows: Mapping[str, Mapping[str, Estimate]]) -> Markup | None:
    """Plot the primary metric of each task on test: a panel a task, a line a row, mean and 95 % interval.

    Args:
        metrics: the primary metric by task.
        rows: by row its estimate for each task that it has; the dotted line is the first row's.
    """
    if not rows:
        return None
    columns = min(2, len(metrics))
    lines = math.ceil(len(metrics) / columns)
    panel = _ROW * len(rows)
    height = lines * (panel + _TOP + _BOTTOM)
    with mpl.rc_context({**STYLE, "axes.grid.axis": "x"}):
        figure = Figure(figsize=(WIDTH / 72, height / 72))
        names = [short_row(row) for row in rows]
        margin = _LETTER * max(map(len, names)) + 12
        width = (WIDTH - margin - _GAP * columns) / columns
        said = []
        for i, (task, metric) in enumerate(metrics.items()):
            line, column = divmod(i, columns)
            left = margin + column * (width + _GAP)
            bottom = height - (line + 1) * (panel + _TOP + _BOTTOM) + _BOTTOM
            axes = figure.add_axes((left / WIDTH, bottom / height, width / WIDTH, panel / height))
            # A row whose run file lacks the task has a place without a mark.
            cells = {y: estimates[task] for y, estimates in enumerate(rows.values()) if task in estimates}
            choose = max if get_metric(metric).higher_is_better else min
            best = choose((cell.value for cell in cells.values()), default=None)
            for y, cell in cells.items():
                if cell.low is not None and cell.high is not None:
                    axes.plot([cell.low, cell.high], [y, y], color=SERIES[0], linewidth=2, solid_capstyle="butt")
                axes.plot([cell.value], [y], "D" if cell.value == best else "o", color=SERIES[0], markersize=7)
            if 0 in cells:
                axes.axvline(cells[0].value, color=MUTED, linewidth=1, linestyle=(0, (2, 2)), zorder=0.9)
            axes.set_ylim(len(rows) - 0.5, -0.5)
            axes.set_yticks(range(len(rows)), names if column == 0 else [""] * len(rows), color=INK, parse_math=False)
            axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
            axes.set_title(short(task), loc="left", fontsize=13, fontweight="bold", parse_math=False)
            axes.set_xlabel(get_metric(metric).label, parse_math=False)
            written = (f"{row} {estimates[task].value:.3f}" for row, estimates in rows.items() if task in estimates)
            said.append(f"{task}: " + ", ".join(written))
        return to_svg(figure, "metrics", "Primary metric of every row on test. " + "; ".join(said) + ".")


def plot_trajectories(rows: Sequence[ComparedRow]) -> Markup | None:
    """Plot the task weights of every row over the steps, a panel a row; rows that keep them equal are left out."""
    rows = [row for row in rows if _moves(row.trajectory)]
    if not rows:
        return None
    tasks = list(dict.fromkeys(task for row in rows for task in row.trajectory))
    with mpl.rc_context(STYLE):
        figure, panels = _panels(
            [short_row(row.name) for row in rows], [short(task) for task in tasks], 3, 200, 40, "step", sharey=True
        )
        for axes, row in zip(panels, rows, strict=True):
            axes.axhline(1, color=MUTED, linewidth=1, linestyle=(0, (2, 2)))
            for task, course in row.trajectory.items():
                axes.plot(course.steps, course.weights, linewidth=2, **line_style(tasks.index(task)))
            axes.xaxis.set_major_locator(MaxNLocator(4, integer=True, steps=[1, 2, 5, 10]))
            axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
            axes.set_xlim(left=0)
        panels[0].set_ylim(bottom=0)
        panels[0].yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
        last = "; ".join(
            f"{row.name}: " + ", ".join(f"{task} {course.weights[-1]:.2f}" for task, course in row.trajectory.items())
            for row in rows
        )
        return to_svg(figure, "weights", f"Line charts of the task weights over the steps; at the end {last}.")


def plot_losses(tasks: Sequence[str], rows: Sequence[ComparedRow]) -> Markup | None:
    """Plot the training loss of each task over the run, a panel a task, a line a row."""
    shown = [task for task in tasks if any(task in row.trajectory for row in rows)]
    if not shown:
        return None
    rows = [row for row in rows if row.trajectory]
    with mpl.rc_context(STYLE):
        figure, panels = _panels(
            [short(task) for task in shown], [short_row(row.name) for row in rows], 2, 230, 52, "% of the run"
        )
        for axes, task in zip(panels, shown, strict=True):
            for number, row in enumerate(rows):
                if task in row.trajectory:
                    course = row.trajectory[task]
                    done = [100 * step / course.steps[-1] for step in course.steps]
                    axes.plot(done, course.losses, linewidth=1.8, **line_style(number))
            axes.set_xlim(0, 100)
            axes.set_ylim(bottom=0)
            axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
        last = "; ".join(
            f"{task}: "
            + ", ".join(f"{row.name} {row.trajectory[task].losses[-1]:.3g}" for row in rows if task in row.trajectory)
            for task in shown
        )
        return to_svg(figure, "losses", f"Line charts of each task's training loss over the run; at the end {last}.")


def short_row(name: str) -> str:
    """Cut a row's name that is too long for a figure."""
    return name if len(name) <= _CHARACTERS else name[: _CHARACTERS - 1] + "…"


def _panels(
    titles: Sequence[str],
    names: Sequence[str],
    columns: int,
    panel_height: int,
    left: int,
    label: str,
    *,
    sharey: bool = False,
) -> tuple[Figure, list[Axes]]:
    """Lay out a panel a title, at most so many beside each other, under a key of the lines' names."""
    columns = min(columns, len(titles))
    lines = math.ceil(len(titles) / columns)
    keys = _break_keys(names)
    key_height = 22 * len(keys) + 10
    height = lines * panel_height + key_height + 20
    figure = Figure(figsize=(WIDTH / 72, height / 72))
    grid = figure.subplots(lines, columns, squeeze=False, sharey=sharey)
    figure.subplots_adjust(
        left=left / WIDTH,
        right=1 - 12 / WIDTH,
        top=1 - (key_height + 28) / height,
        bottom=44 / height,
        wspace=0.1 if sharey else 0.16,
        hspace=0.42,
    )
    for i, axes in enumerate(grid.flat):
        axes.set_visible(i < len(titles))
        if i < len(titles):
            axes.set_title(titles[i], loc="left", fontsize=13, fontweight="bold", parse_math=False)
            axes.set_xlabel(label if i + columns >= len(titles) else "")
    number = 0
    for line, in_line in enumerate(keys):
        x = 40.0
        y = 1 - (14 + 22 * line) / height
        for name in in_line:
            sample = [x / WIDTH, (x + 26) / WIDTH]
            figure.add_artist(Line2D(sample, [y, y], linewidth=2, **line_style(number)))
            figure.text((x + 33) / WIDTH, y, name, va="center", parse_math=False)
            x += _key_width(name)
            number += 1
    return figure, list(grid.flat)[: len(titles)]


def _moves(trajectory: Mapping[str, Course]) -> bool:
    return any(abs(weight - 1) > 1e-3 for course in trajectory.values() for weight in course.weights)


def _key_width(name: str) -> float:
    return _SAMPLE + _LETTER * len(name) + 14


def _break_keys(names: Sequence[str]) -> list[list[str]]:
    """Break the key into lines that fit the figure."""
    lines: list[list[str]] = [[]]
    width = 0.0
    for name in names:
        if lines[-1] and width + _key_width(name) > WIDTH - 50:
            lines.append([])
            width = 0.0
        lines[-1].append(name)
        width += _key_width(name)
    return lines
