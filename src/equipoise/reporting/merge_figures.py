"""The merge's figures: fitness, dev, coefficients, the heat map, the Pareto front."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .figures import STYLE, WIDTH, line_style
from .heat_map import Line, plot_heat_map
from .line_names import End, key_width, label_ends, short
from .merge_results import MergeResults, RowKind, SearchResult
from .merge_tables import coefficients, pruned_candidates, starts
from .svg import INK, MUTED, PAGE, RULE, SERIES, to_svg
from .tables import write_number

_START_LOOKS: dict[str, dict[str, Any]] = {
    "uniform": {"color": SERIES[1], "linestyle": (0, (6, 2))},
    "own": {"color": SERIES[3], "linestyle": (0, (6, 2, 1.5, 2))},
    "MetaGPT": {"color": SERIES[2], "linestyle": (0, (1.5, 1.5))},
}
_LEFT, _RIGHT, _BOTTOM = 46, 14, 44


def plot_fitness(searches: Mapping[str, SearchResult]) -> Markup:
    """Plot the fitness of each search's candidates, pruned ones hollow, with the best so far."""
    with mpl.rc_context(STYLE):
        figure, panels = _panels(list(searches), columns=min(2, len(searches)), height=216)
        said = []
        for axes, (name, search) in zip(panels, searches.items(), strict=True):
            candidates = search["candidates"]
            pruned = pruned_candidates(candidates)
            for start, number in starts(search).items():
                value = next(one["fitness"] for one in candidates if one["number"] == number)
                axes.axhline(value, linewidth=1.6, zorder=1.5, **_START_LOOKS[start])
            numbers = [one["number"] for one in candidates]
            fitness = [one["fitness"] for one in candidates]
            best = np.maximum.accumulate(fitness)
            axes.step(numbers, best, where="post", color=INK, linewidth=1.6)
            for one in candidates:
                look: dict[str, Any] = {
                    "markerfacecolor": PAGE if one["number"] in pruned else SERIES[0],
                    "markeredgecolor": SERIES[0],
                }
                axes.plot([one["number"]], [one["fitness"]], "o", markersize=5.5, **look)
                if one["number"] == search["chosen"]:
                    _ring(axes, one["number"], one["fitness"])
            _count_candidates(axes, numbers[-1])
            begun = ", ".join(
                f"{start} {next(one['fitness'] for one in candidates if one['number'] == number):.3f}"
                for start, number in starts(search).items()
            )
            said.append(f"{name}: {len(candidates)} candidates, {len(pruned)} pruned, {begun}, best {best[-1]:.3f}")
        return to_svg(figure, "fitness", f"Fitness on weak rows over the candidates of each search. {'; '.join(said)}.")


def plot_finalists(results: MergeResults) -> Markup | None:
    """Plot the finalists' dev run scores over their fitness, with other merges' dev run scores as lines.

    Only searches over all tasks have a run score that is comparable.
    """
    tasks = set(results["tasks"])
    searches = {
        name: search
        for name, search in results["searches"].items()
        if {task for member in search["members"].values() for task in member} == tasks
    }
    baselines = {row["name"]: row["run_score"]["dev"] for row in results["rows"] if row["kind"] == RowKind.BASELINE}
    baselines |= {row["name"]: row["run_score"]["dev"] for row in results["rows"] if row["name"] == "joint"}
    if not searches:
        return None
    height = max(320, 60 + 18 * len(baselines))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH / 72, height / 72))
        grid = figure.subplots(1, len(searches), squeeze=False, sharey=True)
        right = key_width(list(baselines)) if baselines else _RIGHT
        figure.subplots_adjust(
            left=_LEFT / WIDTH, right=1 - right / WIDTH, top=1 - 30 / height, bottom=_BOTTOM / height, wspace=0.08
        )
        said = []
        for axes, (name, search) in zip(grid.flat, searches.items(), strict=True):
            for i, value in enumerate(baselines.values()):
                axes.axhline(value, linewidth=1.5, zorder=1.5, **line_style(i))
            fitness = {one["number"]: one["fitness"] for one in search["candidates"]}
            for number, dev in search["finalists"].items():
                at = fitness[int(number)]
                axes.plot([at], [dev], "o", markersize=6.5, color=INK)
                if int(number) == search["chosen"]:
                    _ring(axes, at, dev)
            axes.set_title(name, loc="left", fontsize=13, fontweight="bold", parse_math=False)
            axes.set_xlabel("fitness on weak rows")
            axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
            axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
            axes.margins(0.08, 0.06)
            found = search["finalists"].values()
            said.append(
                f"{name}: finalists from {min(found):.3f} to {max(found):.3f}, the chosen one {search['dev']:.3f}"
            )
        axes.margins(0.08, 0.06)
        label_ends(axes, [End(value, name, line_style(i)) for i, (name, value) in enumerate(baselines.items())])
        others = ", ".join(f"{name} {value:.3f}" for name, value in baselines.items())
        return to_svg(
            figure, "finalists", f"Run score on dev of the finalists: {'; '.join(said)}. Compared with: {others}."
        )


def plot_coefficients(place: int, name: str, search: SearchResult) -> Markup:
    """Plot each number of a search over its candidates, a panel a member or option, a line a block of layers.

    Args:
        place: the search's place on the page.
        name: its name.
        search: the search.
    """
    courses = coefficients(search)
    candidates = search["candidates"]
    numbers = [one["number"] for one in candidates]
    best = np.maximum.accumulate([one["fitness"] for one in candidates])
    # The candidate that was the best so far, at each.
    leader = [next(i for i, one in enumerate(candidates) if one["fitness"] == value) for value in best]
    chosen = next(i for i, one in enumerate(candidates) if one["number"] == search["chosen"])
    weights = [
        value
        for title, lines in courses.items()
        if title in search["members"]
        for values in lines.values()
        for value in values
    ]
    margin = 0.06 * (max(weights) - min(weights)) or 0.05
    with mpl.rc_context({**STYLE, "font.size": 11.5}):
        figure, panels = _panels(list(courses), columns=4, height=132)
        for axes, (title, lines) in zip(panels, courses.items(), strict=True):
            for i, values in enumerate(lines.values()):
                colour = line_style(i)["color"]
                axes.plot(numbers, values, ".", color=colour, markersize=6, alpha=0.55)
                axes.step(numbers, [values[one] for one in leader], where="post", linewidth=1.8, **_block_style(i))
                _ring(axes, search["chosen"], values[chosen], 8.5)
            if title in search["members"]:
                axes.set_ylim(min(weights) - margin, max(weights) + margin)
            _count_candidates(axes, numbers[-1], ticks=3)
        final = "; ".join(
            f"{title} " + ", ".join(f"{block} {values[chosen]:.3f}".strip() for block, values in lines.items())
            for title, lines in courses.items()
        )
        about = f"Coefficients of the search {name} over its candidates; of the chosen one, number {search['chosen']}:"
        return to_svg(figure, f"coefficients-{place}", f"{about} {final}.")


def plot_experts_and_evolved(results: MergeResults) -> Markup:
    """Plot, on dev, each expert's weights with every task's head, between the base and the evolved rows."""
    rows = {row["name"]: row["metrics"]["dev"] for row in results["rows"]}

    def line(name: str) -> Line:
        return Line(name, {task: max(0.0, record["value"]) for task, record in rows[name].items()})

    lines = [line("base")] if "base" in rows else []
    lines += [Line(name, scores, {name}) for name, scores in results["heat_map"].items()]
    evolved = [row for row in results["rows"] if row["kind"] == RowKind.EVOLVED and not row["demonstrations"]]
    lines += [line(row["name"]) for row in evolved]
    return plot_heat_map(list(results["tasks"]), lines, "experts", "Heat map of experts and evolved rows on dev.")


def plot_front(place: int, name: str, search: SearchResult) -> Markup:
    """Plot what each candidate of a search scores on every task: the non-dominated in colour, the chosen one bold.

    Two tasks are the two axes of a scatter; more stand side by side as parallel coordinates, each axis from the lowest
    score of its task to the highest.

    Args:
        place: the search's place on the page.
        name: its name.
        search: the search.
    """
    tasks = [task for member in search["members"].values() for task in member]
    scores = np.array([[one["tasks"][task] for task in tasks] for one in search["candidates"]])
    front = non_dominated(scores)
    chosen = next(i for i, one in enumerate(search["candidates"]) if one["number"] == search["chosen"])
    order = sorted(range(len(scores)), key=lambda i: (i == chosen, front[i]))
    looks: list[dict[str, Any]] = [
        {"color": SERIES[0] if in_front else MUTED, "alpha": 1.0 if in_front else 0.4} for in_front in front
    ]
    with mpl.rc_context(STYLE):
        if len(tasks) > 2:
            figure, axes = _parallel(tasks, scores.min(axis=0), scores.max(axis=0))
            span = np.ptp(scores, axis=0)
            heights = np.where(span > 0, (scores - scores.min(axis=0)) / np.where(span > 0, span, 1), 0.5)
            for i in order:
                axes.plot(heights[i], linewidth=1.3, marker="o", markersize=3.5, **looks[i])
            axes.plot(heights[chosen], linewidth=3.2, marker="o", markersize=6, color=INK)
        else:
            figure, axes = _scatter(tasks)
            for i in order:
                axes.plot(*scores[i], "o", markersize=7, **looks[i])
            _ring(axes, *scores[chosen])
        found = ", ".join(f"{task} {value:.3f}" for task, value in zip(tasks, scores[chosen], strict=True))
        about = f"Pareto front of the search {name}: {int(front.sum())} of {len(front)} candidates are not dominated"
        return to_svg(figure, f"front-{place}", f"{about}; the chosen one has {found}.")


def non_dominated(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Say of each candidate whether no other is at least as good on every task and better on one.

    Args:
        scores: candidates × tasks, higher is better.
    """
    as_good = (scores[:, None] >= scores[None]).all(-1)
    better = (scores[:, None] > scores[None]).any(-1)
    return np.asarray(~(as_good & better).any(0))


def _parallel(tasks: Sequence[str], lowest: Sequence[float], highest: Sequence[float]) -> tuple[Figure, Axes]:
    """Lay out an upright axis a task, its lowest and highest score at the ends."""
    height = 320
    figure = Figure(figsize=(WIDTH / 72, height / 72))
    axes = figure.subplots()
    figure.subplots_adjust(left=60 / WIDTH, right=1 - 60 / WIDTH, top=1 - 30 / height, bottom=86 / height)
    axes.axis("off")
    axes.set_ylim(-0.02, 1.02)
    for x, task in enumerate(tasks):
        axes.axvline(x, color=RULE, linewidth=1.2, zorder=0.5)
        for value, y, side in ((lowest[x], -0.03, "top"), (highest[x], 1.03, "bottom")):
            axes.text(x, y, write_number(value, 3), ha="center", va=side, fontsize=11, color=MUTED)
        look: dict[str, Any] = {"rotation": 20, "ha": "right"} if len(tasks) > 4 else {"ha": "center"}
        axes.text(x, -0.14, short(task), va="top", rotation_mode="anchor", parse_math=False, **look)
    return figure, axes


def _scatter(tasks: Sequence[str]) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH / 72, 5))
    axes = figure.subplots()
    figure.subplots_adjust(left=0.22, right=0.78, top=0.97, bottom=0.15)
    axes.grid(True, axis="both")
    axes.set_xlabel(short(tasks[0]), parse_math=False)
    axes.set_ylabel(short(tasks[1]), parse_math=False)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    return figure, axes


def _panels(titles: Sequence[str], columns: int, height: int) -> tuple[Figure, list[Axes]]:
    """Lay out a panel a title in so many columns."""
    lines = math.ceil(len(titles) / columns)
    whole = lines * height + 26
    figure = Figure(figsize=(WIDTH / 72, whole / 72))
    grid = figure.subplots(lines, columns, squeeze=False)
    figure.subplots_adjust(
        left=_LEFT / WIDTH,
        right=1 - _RIGHT / WIDTH,
        top=1 - 26 / whole,
        bottom=_BOTTOM / whole,
        wspace=46 * columns / WIDTH,
        hspace=60 / (height - 46),
    )
    for i, axes in enumerate(grid.flat):
        axes.set_visible(i < len(titles))
        if i < len(titles):
            axes.set_title(short(titles[i]), loc="left", fontsize=12.5, fontweight="bold", parse_math=False)
            axes.set_xlabel("candidate" if i + columns >= len(titles) else "")
    return figure, list(grid.flat)[: len(titles)]


def _count_candidates(axes: Axes, last: int, ticks: int = 5) -> None:
    axes.set_xlim(-0.8, last + 0.8)
    axes.xaxis.set_major_locator(MaxNLocator(ticks, integer=True, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_locator(MaxNLocator(ticks, steps=[1, 2, 2.5, 5, 10]))


def _block_style(i: int) -> dict[str, Any]:
    """Colour and line style of a block of layers; both differ, so that either tells them apart."""
    return {"color": SERIES[i % len(SERIES)], "linestyle": ("-", (0, (5, 2)), (0, (1, 1.2)))[i % 3]}


def _ring(axes: Axes, x: float, y: float, size: float = 12) -> None:
    axes.plot([x], [y], "o", markersize=size, markerfacecolor="none", markeredgecolor=INK, markeredgewidth=2)
