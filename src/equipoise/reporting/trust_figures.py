"""The report's figures about trust: reliability, and the risk of the surest answers."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from equipoise.evaluation import TrustCurves

from .figures import PHONE_WIDTH, STYLE, WIDTH
from .line_names import short
from .svg import INK, MUTED, PHONE, SERIES, draw_for_screens, to_svg

_LOOKS: dict[str, dict[str, Any]] = {
    "before": {"color": SERIES[1], "linestyle": (0, (4, 2)), "marker": "s"},
    "after": {"color": SERIES[0], "linestyle": "-", "marker": "o"},
}
_HEIGHT = 270


def plot_reliability(curves: Mapping[str, TrustCurves]) -> Markup | None:
    """Plot for each task how often answers of a confidence are right, before and after; None without any."""
    return draw_for_screens(lambda screen: _draw_reliability(curves, screen))


def _draw_reliability(curves: Mapping[str, TrustCurves], screen: str) -> Markup | None:
    if not curves:
        return None
    with mpl.rc_context(STYLE):
        figure, grid = _panels(list(curves), screen)
        for axes, curve in zip(grid, curves.values(), strict=False):
            axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (2, 2)))
            for stage, points in curve["reliability"].items():
                xs, ys = [point[0] for point in points], [point[1] for point in points]
                axes.plot(xs, ys, linewidth=1.8, markersize=5, label=stage, **_LOOKS[stage])
            axes.set_xlim(0, 1.02)
            axes.set_ylim(0, 1.02)
            _finish(axes, "confidence")
        _name_stages(grid, [curve["reliability"] for curve in curves.values()])
        return to_svg(
            figure, f"reliability{screen}", "Line charts of the share of right answers by confidence, task by task."
        )


def plot_risk(curves: Mapping[str, TrustCurves]) -> Markup | None:
    """Plot for each task the share of wrong answers among the surest, before and after; None without any."""
    return draw_for_screens(lambda screen: _draw_risk(curves, screen))


def _draw_risk(curves: Mapping[str, TrustCurves], screen: str) -> Markup | None:
    if not curves:
        return None
    with mpl.rc_context(STYLE):
        figure, grid = _panels(list(curves), screen)
        for axes, curve in zip(grid, curves.values(), strict=False):
            for stage, points in curve["risk"].items():
                xs, ys = [point[0] for point in points], [point[1] for point in points]
                look = {**_LOOKS[stage], "marker": ""}
                axes.plot(xs, ys, linewidth=1.8, label=stage, **look)
            axes.set_xlim(0, 1.02)
            axes.set_ylim(bottom=0)
            _finish(axes, "answers, the surest first")
        _name_stages(grid, [curve["risk"] for curve in curves.values()])
        said = ", ".join(f"{name} {curve['risk']['after'][-1][1]:.3f}" for name, curve in curves.items())
        return to_svg(
            figure, f"risk{screen}", f"Line charts of the share of wrong answers among the surest; of all: {said}."
        )


def _name_stages(grid: Sequence[Axes], drawn: Sequence[Mapping[str, Any]]) -> None:
    """Name the lines in the first panel that has both; where nothing is calibrated, there is nothing to tell apart."""
    both = next((axes for axes, stages in zip(grid, drawn, strict=False) if len(stages) > 1), None)
    if both is not None:
        both.legend(loc="upper left", frameon=False, labelcolor=INK)


def _panels(names: Sequence[str], screen: str) -> tuple[Figure, list[Axes]]:
    width, columns = (PHONE_WIDTH, 1) if screen == PHONE else (WIDTH, min(3, len(names)))
    rows = math.ceil(len(names) / columns)
    figure = Figure(figsize=(width / 72, rows * _HEIGHT / 72))
    grid = list(figure.subplots(rows, columns, squeeze=False).flat)
    figure.subplots_adjust(
        left=52 / width,
        right=1 - 16 / width,
        top=1 - 30 / (rows * _HEIGHT),
        bottom=46 / (rows * _HEIGHT),
        wspace=0.3,
        hspace=0.45,
    )
    for axes in grid[len(names) :]:
        axes.set_visible(False)
    for axes, name in zip(grid, names, strict=False):
        axes.set_title(short(name), loc="left", fontsize=13, fontweight="bold", parse_math=False)
    return figure, grid


def _finish(axes: Axes, below: str) -> None:
    axes.set_xlabel(below)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5))
        axis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
