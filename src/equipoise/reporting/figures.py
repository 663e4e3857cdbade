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

from .svg import INK, MUTED, PAGE, RULE, SERIES, to_svg

Floats = npt.NDArray[np.float64]

# Figures are laid out in the page's pixels: at full width, text is as large as the page's small print.
WIDTH = 880
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
_MAX_NAME = 26


class Curve(NamedTuple):
    """A value over the steps."""

    steps: Floats
    values: Floats


class End(NamedTuple):
    """Where a line ends, and how it is named."""

    value: float
    name: str
    look: dict[str, Any]


def plot_dev(dev: Sequence[Mapping[str, Any]], tasks: Mapping[str, Task], kept: int | None) -> Markup | None:
    """Plot the dev run score and each task's primary metric, the kept checkpoint marked."""
    score = _curve(dev, lambda line: line["dev"].get("run_score"))
    if len(score.steps) == 0:
        return None
    with mpl.rc_context(STYLE):
        ends = []
        scored = [name for name, task in tasks.items() if not task.auxiliary]
        figure, axes = _figure(340, right=key_width([*scored, "run score"]))
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
        label_ends(axes, ends)
        return to_svg(figure, "dev", _describe_dev(score, kept, {name: tasks[name] for name in scored}))


def plot_losses(steps: Sequence[Mapping[str, Any]], tasks: Mapping[str, Task]) -> Markup | None:
    """Plot every task's loss, a panel each: single steps faint, their moving mean strong."""
    curves = {
        name: _curve(steps, lambda line, name=name: line.get("losses", {}).get(name))  # type: ignore[misc]
        for name in tasks
    }
    curves = {name: curve for name, curve in curves.items() if len(curve.steps)}
    if not curves:
        return None
    columns = len(curves) if len(curves) <= 3 else (2 if len(curves) == 4 else 3)
    rows = math.ceil(len(curves) / columns)
    with mpl.rc_context(STYLE):
        height = 300 if columns == 1 else 225
        figure = Figure(figsize=(WIDTH / 72, rows * height / 72))
        grid = figure.subplots(rows, columns, squeeze=False, sharex=True)
        figure.subplots_adjust(
            left=44 / WIDTH,
            right=1 - 16 / WIDTH,
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
        return to_svg(figure, "losses", f"Line charts of the training loss of each task: {ends}.")


def plot_weights(steps: Sequence[Mapping[str, Any]], tasks: Mapping[str, Task]) -> Markup | None:
    """Plot the task weights where a task was present; nothing to see for one task."""
    curves = {
        name: _curve(steps, lambda line, name=name: line.get("weights", {}).get(name) or None)  # type: ignore[misc]
        for name in tasks
    }
    if len(tasks) < 2 or not any(len(curve.steps) for curve in curves.values()):
        return None
    with mpl.rc_context(STYLE):
        figure, axes = _figure(300 + 12 * max(0, len(tasks) - 5), right=key_width(list(tasks)))
        axes.set_ylim(0.75, 1.25)
        axes.axhline(1, color=MUTED, linewidth=1, linestyle=(0, (2, 2)))
        ends = []
        for i, (name, curve) in enumerate(curves.items()):
            if len(curve.steps):
                _plot_noisy(axes, curve, faint=0.3 if len(curves) <= 3 else 0.0, **line_style(i))
                ends.append(End(float(_smooth(curve)[-1]), name, line_style(i)))
        axes.set_xlim(0, max(curve.steps[-1] for curve in curves.values() if len(curve.steps)))
        label_ends(axes, ends)
        last = ", ".join(f"{end.name} {end.value:.2f}" for end in ends)
        return to_svg(figure, "weights", f"Line chart of the task weights over the steps; at the end {last}.")


def plot_difficulty(steps: Sequence[Mapping[str, Any]]) -> Markup | None:
    """Plot the difficulty of what each step has met, with the share of the examples, or the stages; None without."""
    met = [line for line in steps if "curriculum" in line]
    if not met:
        return None
    observed = _curve(met, lambda line: line["curriculum"]["difficulty"])
    share = _curve(met, lambda line: line["curriculum"].get("share"))
    with mpl.rc_context(STYLE):
        figure, axes = _figure(280, right=key_width(["difficulty", "share drawn"]))
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
        label_ends(axes, ends)
        return to_svg(figure, "difficulty", f"Line chart of the difficulty met over the steps, {said}.")


def _figure(height: int, right: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH / 72, height / 72))
    axes = figure.subplots()
    figure.subplots_adjust(left=44 / WIDTH, right=1 - right / WIDTH, top=1 - 12 / height, bottom=44 / height)
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
    raw = _thin(curve)
    if faint:
        axes.plot(*raw, linewidth=0.8, alpha=faint, color=look["color"])
    axes.plot(*_thin(Curve(curve.steps, smooth)), linewidth=2, **look)
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


def _thin(curve: Curve) -> Curve:
    """Average neighbours so that at most `_MAX_POINTS` are drawn."""
    n = len(curve.steps)
    if n <= _MAX_POINTS:
        return curve
    edges = np.linspace(0, n, _MAX_POINTS + 1).astype(int)[:-1]
    sizes = np.diff([*edges, n])
    return Curve(*(np.add.reduceat(values, edges) / sizes for values in curve))


def label_ends(axes: Axes, ends: Sequence[End]) -> None:
    """Name the lines beside their right ends, moved apart where names would overlap."""
    low, high = axes.get_ylim()
    width, height = axes.bbox.width, axes.bbox.height
    ends = sorted(ends, key=lambda end: end.value)
    places = _spread([(end.value - low) / (high - low) for end in ends], 17 / height)
    for place, (_, name, look) in zip(places, ends, strict=True):
        strong = look["color"] == INK
        sample = [1 + 10 / width, 1 + 32 / width]
        axes.plot(
            sample,
            [place, place],
            transform=axes.transAxes,
            clip_on=False,
            linewidth=2.6 if strong else 2,
            scalex=False,
            scaley=False,
            **look,
        )
        axes.text(
            1 + 39 / width,
            place,
            short(name),
            transform=axes.transAxes,
            va="center",
            fontweight="bold" if strong else "normal",
            parse_math=False,
        )


def _spread(places: Sequence[float], gap: float) -> list[float]:
    """Move ascending places apart to `gap`: each group of neighbours around its centre, within 0 and 1."""
    groups: list[list[float]] = []
    for place in places:
        groups.append([place])
        while len(groups) > 1 and _bottom(groups[-1], gap) - _top(groups[-2], gap) < gap:
            last = groups.pop()
            groups[-1] += last
    return [_bottom(group, gap) + i * gap for group in groups for i in range(len(group))]


def _bottom(group: Sequence[float], gap: float) -> float:
    height = gap * (len(group) - 1)
    return max(0.0, min(sum(group) / len(group) - height / 2, 1 - height))


def _top(group: Sequence[float], gap: float) -> float:
    return _bottom(group, gap) + gap * (len(group) - 1)


def short(name: str) -> str:
    """Cut a name that is too long for a figure."""
    return name if len(name) <= _MAX_NAME else name[: _MAX_NAME - 1] + "…"


def key_width(names: Sequence[str]) -> float:
    """Return the pixels that `label_ends` takes beside a figure."""
    return 45 + 8.2 * max(len(short(name)) for name in names)


def _describe_dev(score: Curve, kept: int | None, tasks: Mapping[str, Task]) -> str:
    text = f"Line chart of the run score on dev: {score.values[0]:.3f} at step {score.steps[0]:.0f}, "
    text += f"{score.values[-1]:.3f} at step {score.steps[-1]:.0f}"
    if kept in score.steps:
        text += f"; the checkpoint of step {kept} was kept"
    if len(tasks) > 1:
        text += "; with it " + ", ".join(f"{get_metric(t.metric).label} of {n}" for n, t in tasks.items())
    return text + "."
