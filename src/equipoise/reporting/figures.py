"""The report's figures: dev scores, losses, task weights and difficulty over the steps."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from equipoise.kinds import Task, get_metric

from .line_names import End, key_width, label_ends, short
from .svg import INK, MUTED, PAGE, PHONE, RULE, SERIES, draw_for_screens, to_svg

Floats = npt.NDArray[np.float64]

# Figures are laid out in the page's pixels: at full width, text is as large as the page's small print.
WIDTH = 880
PHONE_WIDTH = 356
"""The pixels of a phone's page; names stand below the figure there, not beside the lines."""
STYLE: Any = {
    "figure.dpi": 72,
    "font.size": 12.5,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.linewidth": 0.8,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.8,
    "xtick.major.size": 4,
    "ytick.major.size": 0,
    "axes.unicode_minus": True,
}
_DASHES = ("-", (0, (5, 2)), (0, (1, 1.5)))
_MAX_POINTS = 500
"""Points of a line in a figure as wide as the page, at most."""


class Curve(NamedTuple):
    """A value over the steps."""

    steps: Floats
    values: Floats


def plot_dev(dev: Sequence[Mapping[str, Any]], tasks: Mapping[str, Task], kept: int | None) -> Markup | None:
    """Plot the dev run score and each task's primary metric, the kept checkpoint marked."""
    return draw_for_screens(lambda screen: _draw_dev(dev, tasks, kept, screen))


def _draw_dev(
    dev: Sequence[Mapping[str, Any]], tasks: Mapping[str, Task], kept: int | None, screen: str
) -> Markup | None:
    score = _curve(dev, lambda line: line["dev"].get("run_score"))
    if len(score.steps) == 0:
        return None
    with mpl.rc_context(STYLE):
        ends = []
        scored = [name for name, task in tasks.items() if not task.auxiliary]
        figure, axes = _figure(340, [*scored, "run score"], screen)
        if len(scored) > 1:
            for i, (name, task) in enumerate(tasks.items()):
                curve = _curve(dev, lambda line, key=f"{name}/{task.metric}": line["dev"].get(key))  # type: ignore[misc]
                if len(curve.steps):
                    axes.plot(*curve, linewidth=1.4, marker="o", markersize=3, **line_style(i))
                    ends.append(End(float(curve.values[-1]), name, line_style(i)))
        axes.plot(*score, color=INK, linewidth=2.6, marker="o", markersize=5)
        ends.append(End(float(score.values[-1]), "run score", {"color": INK}))
        if kept is not None and kept in score.steps:
            value = score.values[score.steps == kept][0]
            axes.plot([kept], [value], "o", markersize=12, markerfacecolor=PAGE, markeredgecolor=INK, mew=2)
            axes.plot([kept], [value], "o", markersize=5, color=INK)
        axes.set_xlim(0, score.steps[-1] * 1.02)
        if screen != PHONE:
            label_ends(axes, ends)
        return to_svg(figure, f"dev{screen}", _describe_dev(score, kept, {name: tasks[name] for name in scored}))


def plot_losses(steps: Sequence[Mapping[str, Any]], tasks: Mapping[str, Task]) -> Markup | None:
    """Plot every task's loss, a panel each: single steps faint, their moving mean strong."""
    return draw_for_screens(lambda screen: _draw_losses(steps, tasks, screen))


def _draw_losses(steps: Sequence[Mapping[str, Any]], tasks: Mapping[str, Task], screen: str) -> Markup | None:
    curves = {
        name: _curve(steps, lambda line, name=name: line.get("losses", {}).get(name))  # type: ignore[misc]
        for name in tasks
    }
    curves = {name: curve for name, curve in curves.items() if len(curve.steps)}
    if not curves:
        return None
    columns = len(curves) if len(curves) <= 3 else (2 if len(curves) == 4 else 3)
    width, columns = (PHONE_WIDTH, 1) if screen == PHONE else (WIDTH, columns)
    rows = math.ceil(len(curves) / columns)
    with mpl.rc_context(STYLE):
        height = 300 if columns == 1 and screen != PHONE else 225
        figure = Figure(figsize=(width / 72, rows * height / 72))
        grid = figure.subplots(rows, columns, squeeze=False, sharex=True)
        figure.subplots_adjust(
            left=44 / width,
            right=1 - 16 / width,
            top=1 - 30 / (rows * height),
            bottom=44 / (rows * height),
            wspace=0.22,
            hspace=0.34,
        )
        for axes in grid.flat[len(curves) :]:
            axes.set_visible(False)
        order = {name: i for i, name in enumerate(tasks)}
        for i, (axes, (name, curve)) in enumerate(zip(grid.flat, curves.items(), strict=False)):
            colour = line_style(order[name])["color"]
            _plot_noisy(axes, curve, color=colour)
            axes.set_title(short(name), loc="left", fontsize=13, fontweight="bold", parse_math=False)
            _set_axis(axes)
            axes.tick_params(labelbottom=i + columns >= len(curves))
            axes.set_xlabel("step" if i + columns >= len(curves) else "")
        ends = ", ".join(
            f"{name} from {_smooth(curve)[0]:.3g} to {_smooth(curve)[-1]:.3g}" for name, curve in curves.items()
        )
        return to_svg(figure, f"losses{screen}", f"Line charts of the training loss of each task: {ends}.")


def plot_weights(steps: Sequence[Mapping[str, Any]], tasks: Mapping[str, Task]) -> Markup | None:
    """Plot the task weights where a task was present; nothing to see for one task."""
    return draw_for_screens(lambda screen: _draw_weights(steps, tasks, screen))


def _draw_weights(steps: Sequence[Mapping[str, Any]], tasks: Mapping[str, Task], screen: str) -> Markup | None:
    curves = {
        name: _curve(steps, lambda line, name=name: line.get("weights", {}).get(name) or None)  # type: ignore[misc]
        for name in tasks
    }
    if len(tasks) < 2 or not any(len(curve.steps) for curve in curves.values()):
        return None
    with mpl.rc_context(STYLE):
        figure, axes = _figure(300 + 12 * max(0, len(tasks) - 5), list(tasks), screen)
        axes.set_ylim(0.75, 1.25)
        axes.axhline(1, color=MUTED, linewidth=1, linestyle=(0, (2, 2)))
        ends = []
        for i, (name, curve) in enumerate(curves.items()):
            if len(curve.steps):
                _plot_noisy(axes, curve, faint=0.3 if len(curves) <= 3 else 0.0, **line_style(i))
                ends.append(End(float(_smooth(curve)[-1]), name, line_style(i)))
        axes.set_xlim(0, max(curve.steps[-1] for curve in curves.values() if len(curve.steps)))
        if screen != PHONE:
            label_ends(axes, ends)
        last = ", ".join(f"{end.name} {end.value:.2f}" for end in ends)
        return to_svg(figure, f"weights{screen}", f"Line chart of the task weights over the steps; at the end {last}.")


def plot_difficulty(steps: Sequence[Mapping[str, Any]]) -> Markup | None:
    """Plot the difficulty of what each step has met, with the share of the examples, or the stages; None without."""
    return draw_for_screens(lambda screen: _draw_difficulty(steps, screen))


def _draw_difficulty(steps: Sequence[Mapping[str, Any]], screen: str) -> Markup | None:
    met = [line for line in steps if "curriculum" in line]
    if not met:
        return None
    observed = _curve(met, lambda line: line["curriculum"]["difficulty"])
    share = _curve(met, lambda line: line["curriculum"].get("share"))
    with mpl.rc_context(STYLE):
        figure, axes = _figure(280, ["difficulty", "share drawn"], screen)
        _plot_noisy(axes, observed, **line_style(0))
        ends = [End(float(_smooth(observed)[-1]), "difficulty", line_style(0))]
        said = f"from {_smooth(observed)[0]:.2f} to {_smooth(observed)[-1]:.2f}"
        if len(share.steps):
            look: dict[str, Any] = {"color": SERIES[1], "linestyle": _DASHES[1]}
            axes.plot(*_thin(share), linewidth=2, **look)
            ends.append(End(float(share.values[-1]), "share drawn", look))
            said += f"; share of the examples drawn from, from {share.values[0]:.2f} to {share.values[-1]:.2f}"
        else:
            stages = [line["curriculum"]["stage"] for line in met]
            begins = [met[i]["step"] for i in range(1, len(met)) if stages[i] != stages[i - 1]]
            for step in begins:
                axes.axvline(step - 0.5, color=MUTED, linewidth=1, linestyle=(0, (2, 2)))
            said += f"; {stages[-1]} stages" + "".join(f", one from step {step} on" for step in begins)
        axes.set_ylim(0, 1.02)
        axes.set_xlim(0, observed.steps[-1])
        if screen != PHONE:
            label_ends(axes, ends)
        return to_svg(figure, f"difficulty{screen}", f"Line chart of the difficulty met over the steps, {said}.")


def _figure(height: int, names: Sequence[str], screen: str) -> tuple[Figure, Axes]:
    """Return a figure with room for the names of its lines beside them; on a phone they stand below."""
    width, right = (PHONE_WIDTH, 16.0) if screen == PHONE else (WIDTH, key_width(names))
    height = min(height, 260) if screen == PHONE else height
    figure = Figure(figsize=(width / 72, height / 72))
    axes = figure.subplots()
    figure.subplots_adjust(left=44 / width, right=1 - right / width, top=1 - 12 / height, bottom=44 / height)
    axes.set_xlabel("step")
    _set_axis(axes)
    return figure, axes


def _set_axis(axes: Axes) -> None:
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axes.set_xlim(left=0)


def line_style(i: int) -> dict[str, Any]:
    """Colour and line style of task i: no two of 15 tasks share both."""
    return {"color": SERIES[i % len(SERIES)], "linestyle": _DASHES[i // len(SERIES) % len(_DASHES)]}


def _curve(lines: Sequence[Mapping[str, Any]], pick: Callable[[Mapping[str, Any]], float | None]) -> Curve:
    points = [(line["step"], pick(line)) for line in lines]
    kept = [(step, value) for step, value in points if value is not None and math.isfinite(value)]
    array = np.array(kept, dtype=np.float64).reshape(-1, 2)
    return Curve(array[:, 0], array[:, 1])


def _plot_noisy(axes: Axes, curve: Curve, faint: float = 0.3, **look: Any) -> None:
    smooth = _smooth(curve)
    most = round(_MAX_POINTS * min(1, axes.get_figure().bbox.width / WIDTH))  # type: ignore[union-attr]
    raw = _thin(curve, most)
    if faint:
        axes.plot(*raw, linewidth=0.8, alpha=faint, color=look["color"])
    axes.plot(*_thin(Curve(curve.steps, smooth), most), linewidth=2, **look)
    low, high = np.percentile(raw.values, (1, 99)) if faint else (smooth.min(), smooth.max())
    bottom, top = min(low, smooth.min()), max(high, smooth.max())
    margin = 0.06 * (top - bottom) or 0.05
    if axes.get_autoscaley_on():
        axes.set_ylim(bottom - margin, top + margin)
    else:
        limits = axes.get_ylim()
        axes.set_ylim(min(limits[0], bottom - margin), max(limits[1], top + margin))


def _smooth(curve: Curve) -> Floats:
    """Average over a thirtieth of the steps around each; the window shrinks at both ends."""
    kernel = np.ones(max(1, len(curve.values) // 30))
    counts = np.convolve(np.ones(len(curve.values)), kernel, mode="same")
    return np.convolve(curve.values, kernel, mode="same") / counts


def _thin(curve: Curve, most: int = _MAX_POINTS) -> Curve:
    """Average neighbours so that at most so many are drawn."""
    n = len(curve.steps)
    if n <= most:
        return curve
    edges = np.linspace(0, n, most + 1).astype(int)[:-1]
    sizes = np.diff([*edges, n])
    return Curve(*(np.add.reduceat(values, edges) / sizes for values in curve))


def _describe_dev(score: Curve, kept: int | None, tasks: Mapping[str, Task]) -> str:
    text = f"Line chart of the run score on dev: {score.values[0]:.3f} at step {score.steps[0]:.0f}, "
    text += f"{score.values[-1]:.3f} at step {score.steps[-1]:.0f}"
    if kept in score.steps:
        text += f"; the checkpoint of step {kept} was kept"
    if len(tasks) > 1:
        text += "; with it " + ", ".join(f"{get_metric(t.metric).label} of {n}" for n, t in tasks.items())
    return text + "."
