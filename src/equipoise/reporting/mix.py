"""The page of `equipoise mix`, and its table for the terminal."""

from pathlib import Path

import rich.table
from rich.text import Text

from equipoise.kinds import get_metric
from equipoise.progress import format_seconds
from equipoise.terminal import make_results_table

from .mix_results import GainRange, MixPair, MixResults
from .pages import write_page
from .tables import write_number


def write_mix(folder: str | Path, results: MixResults) -> Path:
    """Write `mix.html` into the folder of a mix: one page that needs neither network nor scripts.

    Args:
        folder: the folder.
        results: what was found.

    Returns:
        The path of the page.
    """
    # matplotlib is imported when a page is written, not with every table.
    from .mix_figures import plot_estimates

    return write_page(
        folder,
        "mix",
        results=results,
        figure=plot_estimates(results),
        rows={name: [_cells(pair) for pair in results.of(name)] for name in results.targets},
        labels={name: get_metric(target.metric).label for name, target in results.targets.items()},
        key_figures=_key_figures(results),
        costs=_costs(results),
    )


def mix_table(results: MixResults) -> rich.table.Table:
    """Return every pair's gains, for the terminal."""
    table = make_results_table(
        "Which tasks help which, on dev",
        "gain: by how many percent the target's loss on dev is lower [95 % interval]; metric: alone → with it",
    )
    for head in ("target", "with", "estimated gain", "gain when trained", "metric", "verdict"):
        table.add_column(head, justify="left" if head in ("target", "with", "verdict") else "right", overflow="fold")
    for target in results.targets:
        pairs = results.of(target)
        for number, pair in enumerate(pairs):
            style = "bold" if pair.chosen else ""
            cells = [Text(cell, style=style) for cell in (target, *_cells(pair))]
            table.add_row(*cells, end_section=number == len(pairs) - 1)
    return table


def _cells(pair: MixPair) -> tuple[str, ...]:
    """Return helper, estimated gain, gain when trained, metric alone and with it, and verdict."""
    trained = pair.trained
    metric = f"{write_number(trained.metric_alone, 3)} → {write_number(trained.metric, 3)}" if trained else "–"
    gain = _write_range(trained.gain if trained else None)
    return pair.helper, _write_range(pair.estimate), gain, metric, str(pair.verdict)


def _write_range(gain: GainRange | None) -> str:
    if gain is None:
        return "–"
    low, high = (write_number(bound, 1) for bound in (gain.low, gain.high))
    return f"{write_number(gain.value, 1)} % [{low}, {high}]"


def _key_figures(results: MixResults) -> dict[str, str]:
    trained = sum(pair.trained is not None for pair in results.pairs)
    return {
        "pairs estimated": str(sum(pair.estimate is not None for pair in results.pairs)),
        "pairs trained": str(trained),
        "of the cost of all pairs": f"{100 * results.cost.share:.0f} %",
        "in mixed.yaml": ", ".join(results.chosen) or "none",
    }


def _costs(results: MixResults) -> list[tuple[str, int, str]]:
    cost = results.cost
    return [
        ("estimates: each helper alone", cost.estimate_rows, format_seconds(cost.estimate_seconds)),
        ("short trainings of targets", cost.trained_rows, format_seconds(cost.trained_seconds)),
        (
            "all pairs, had they been trained",
            cost.all_rows,
            "–" if cost.all_seconds is None else f"about {format_seconds(cost.all_seconds)}",
        ),
    ]
