"""The page of difficulty, and its tables for the terminal."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import rich.table
from rich.text import Text

from equipoise.terminal import make_results_table

from .pages import write_page
from .tables import write_number


def _fixed(digits: int) -> Callable[[float], str]:
    return lambda value: write_number(value, digits)


_WRITTEN: dict[str, tuple[str, Callable[[float], str]]] = {
    "examples": ("examples", lambda value: f"{value:,}"),
    "classes": ("classes", str),
    "label_entropy": ("label entropy", _fixed(2)),
    "lexical_diversity": ("lexical diversity", _fixed(2)),
    "length": ("words", _fixed(1)),
    "inputs": ("inputs", str),
    "disagreement": ("disagree-ment", _fixed(2)),
    "score": ("meta data", _fixed(2)),
    "pvi": ("PVI", _fixed(3)),
    "confidence": ("confi-dence", _fixed(3)),
    "variability": ("varia-bility", _fixed(3)),
    "forgetting": ("forgot-ten", _fixed(2)),
    "suspected": ("sus-pected", lambda value: f"{100 * value:.1f} %"),
}
"""The columns of the tables: heads, and how values are written."""
MEASURES = {
    "metadata": "meta data",
    "pvi": "PVI",
    "confidence": "confidence",
    "variability": "variability",
    "forgetting": "forgetting",
}
"""The measures of difficulty, and what pages call them."""


def write_difficulty(folder: str | Path, results: Mapping[str, Any]) -> Path:
    """Write `difficulty.html` into a folder: one page that needs neither network nor scripts.

    Args:
        folder: the folder.
        results: see `equipoise.curriculum.gather_difficulty`.

    Returns:
        The path of the page.
    """
    # matplotlib is imported when a page is written, not with every table.
    from .difficulty_figures import plot_correlations, plot_maps, plot_pvi

    tasks = results["tasks"]
    return write_page(
        folder,
        "difficulty",
        results=results,
        heads=[head.replace("-", "\u00ad") for head, _ in _WRITTEN.values()],
        rows={name: _cells(task) for name, task in tasks.items()},
        order={MEASURES.get(by, by): names for by, names in results["order"].items()},
        maps=plot_maps(tasks),
        histograms=plot_pvi(tasks),
        correlations=plot_correlations(tasks),
    )


def difficulty_table(results: Mapping[str, Any]) -> rich.table.Table:
    """Return each task's figures, for the terminal."""
    table = make_results_table("Difficulty of the training examples", "suspected: PVI below zero, and never learnt")
    table.add_column("task", overflow="fold")
    for head, _ in _WRITTEN.values():
        table.add_column(head.replace(" ", "\n").replace("-", "-\n"), justify="right")
    for name, task in results["tasks"].items():
        table.add_row(Text(name), *_cells(task))
    return table


def correlations_table(results: Mapping[str, Any]) -> rich.table.Table:
    """Return Spearman's ρ between the measures of each task, for the terminal."""
    pairs = [(one, other) for i, one in enumerate(MEASURES) for other in list(MEASURES)[i + 1 :]]
    table = make_results_table(
        "How far the measures agree", "Spearman's ρ over the examples of a task, as difficulty: more is harder"
    )
    table.add_column("task", overflow="fold")
    for one, other in pairs:
        table.add_column(f"{MEASURES[one]}\n{MEASURES[other]}", justify="right")
    for name, task in results["tasks"].items():
        names, values = task["correlations"]["names"], task["correlations"]["values"]
        cells = []
        for one, other in pairs:
            known = one in names and other in names
            value = values[names.index(one)][names.index(other)] if known else None
            cells.append("–" if value is None else write_number(value, 2))
        table.add_row(Text(name), *cells)
    return table


def _cells(task: Mapping[str, Any]) -> list[str]:
    return ["–" if task[key] is None else write(task[key]) for key, (_, write) in _WRITTEN.items()]
