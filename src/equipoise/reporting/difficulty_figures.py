"""The figures of difficulty: data maps, histograms of PVI, correlations."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from .difficulty import MEASURES
from .figures import STYLE, WIDTH
from .line_names import short
from .svg import INK, SERIES, to_svg
from .tables import write_number

_POINTS = 300
"""Examples drawn in a map at most; more would only cover each other."""
_BARS = 30
_STRONGEST = 0.5
"""Opacity of a correlation of one: text stays readable on it, on the light page and on the dark one."""


def plot_maps(tasks: Mapping[str, Any]) -> Markup | None:
    """Plot each task's data map (Swayamdipta et al., 2020): confidence over variability, suspected noise as crosses."""
    shown = {name: task for name, task in tasks.items() if "confidence" in task["examples_of"]}
    if not shown:
        return None
    with _panels(shown, 250) as (figure, panels):
        for axes, task in panels:
            examples = task["examples_of"]
            chosen = np.random.default_rng(0).permutation(len(examples["confidence"]))[:_POINTS]
            x, y = examples["variability"][chosen], examples["confidence"][chosen]
            wrong = examples["suspected"][chosen] if "suspected" in examples else np.zeros(len(chosen), dtype=bool)
            axes.plot(x[~wrong], y[~wrong], "o", color=SERIES[0], markersize=3, alpha=0.45, markeredgewidth=0)
            axes.plot(x[wrong], y[wrong], "x", color=SERIES[1], markersize=5)
            axes.set_ylim(0, 1)
            axes.set_xlim(left=0)
            axes.set_xlabel("variability")
            axes.set_ylabel("confidence")
        said = "; ".join(
            f"{name}: mean confidence {task['confidence']:.2f}, variability {task['variability']:.2f}"
            + ("" if task["suspected"] is None else f", suspected noise {100 * task['suspected']:.1f} %")
            for name, task in shown.items()
        )
        return to_svg(figure, "maps", f"Scatter plots of confidence over variability. {said}.")


def plot_pvi(tasks: Mapping[str, Any]) -> Markup | None:
    """Plot each task's histogram of PVI; below zero the features speak against the label."""
    shown = {name: task for name, task in tasks.items() if "pvi" in task["examples_of"]}
    if not shown:
        return None
    with _panels(shown, 225) as (figure, panels):
        for axes, task in panels:
            values = task["examples_of"]["pvi"]
            low, high = np.percentile(values, (0.5, 99.5))
            # Zero is an edge, so that no bar holds both signs; what lies outside counts in the outermost bars.
            width = max(high - low, 1e-6) / _BARS
            edges = width * np.arange(math.floor(low / width), math.ceil(high / width) + 1)
            counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
            for sign, colour in ((edges[:-1] >= -width / 2, SERIES[0]), (edges[:-1] < -width / 2, SERIES[1])):
                axes.bar(edges[:-1][sign], counts[sign], width * 0.9, align="edge", color=colour, linewidth=0)
            axes.set_xlabel("PVI, bits")
            axes.xaxis.set_major_locator(MaxNLocator(4))
            axes.set_ylabel("examples")
            axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
        said = "; ".join(
            f"{name}: mean {task['pvi']:.2f}, below zero {100 * np.mean(task['examples_of']['pvi'] < 0):.0f} %"
            for name, task in shown.items()
        )
        return to_svg(figure, "pvi", f"Histograms of PVI in bits. {said}.")


def plot_correlations(tasks: Mapping[str, Any]) -> Markup | None:
    """Plot Spearman's ρ between the measures of each task: blue where they agree, orange where they disagree."""
    shown = {name: task for name, task in tasks.items() if len(task["correlations"]["names"]) > 1}
    if not shown:
        return None
    with _panels(shown, 250, left=78) as (figure, panels):
        for axes, task in panels:
            names, values = task["correlations"]["names"], task["correlations"]["values"]
            axes.set_xlim(0, len(names))
            axes.set_ylim(len(names), 0)
            axes.grid(visible=False)
            axes.spines["bottom"].set_visible(False)
            for y, line in enumerate(values):
                for x, value in enumerate(line):
                    if x == y:
                        axes.text(x + 0.5, y + 0.5, "–", ha="center", va="center")
                        continue
                    colour = SERIES[0] if (value or 0) >= 0 else SERIES[1]
                    patch = {"facecolor": colour, "alpha": _STRONGEST * abs(value or 0), "linewidth": 0}
                    axes.add_patch(Rectangle((x + 0.04, y + 0.04), 0.92, 0.92, **patch))
                    text = "–" if value is None else write_number(value, 2)
                    axes.text(x + 0.5, y + 0.5, text, ha="center", va="center", fontsize=10.5, color=INK)
            labels = [MEASURES[name] for name in names]
            axes.set_xticks(np.arange(len(names)) + 0.5, labels, rotation=35, ha="right", fontsize=10.5)
            axes.set_yticks(np.arange(len(names)) + 0.5, labels, fontsize=10.5)
            axes.tick_params(length=0)
        said = "; ".join(
            f"{name}: meta data and {other} {task['correlations']['values'][0][place]:.2f}"
            for name, task in shown.items()
            for place, other in enumerate(task["correlations"]["names"])
            if place and task["correlations"]["values"][0][place] is not None
        )
        return to_svg(figure, "correlations", f"Heat maps of Spearman's rank correlation between measures. {said}.")


@contextmanager
def _panels(
    tasks: Mapping[str, Any], height: int, left: int = 52
) -> Iterator[tuple[Figure, list[tuple[Axes, Mapping[str, Any]]]]]:
    """Lay out one panel a task, named, at most three in a row."""
    columns = 2 if len(tasks) in (1, 2, 4) else 3
    rows = math.ceil(len(tasks) / columns)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH / 72, rows * height / 72))
        grid = figure.subplots(rows, columns, squeeze=False)
        side = WIDTH / columns
        figure.subplots_adjust(
            left=left / WIDTH,
            right=1 - 12 / WIDTH,
            top=1 - 28 / (rows * height),
            bottom=(72 if left > 60 else 44) / (rows * height),
            wspace=(left + 8) / (side - left - 8),
            hspace=(112 if left > 60 else 84) / (height - 100),
        )
        for axes in grid.flat[len(tasks) :]:
            axes.set_visible(False)
        for axes, name in zip(grid.flat, tasks, strict=False):
            axes.set_title(short(name), loc="left", fontsize=13, fontweight="bold", parse_math=False)
        yield figure, list(zip(grid.flat, tasks.values(), strict=False))
