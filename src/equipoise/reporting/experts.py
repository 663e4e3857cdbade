"""The page of experts, and their table for the terminal."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import rich.table
from rich.text import Text

from equipoise.kinds import get_metric
from equipoise.progress import format_seconds
from equipoise.terminal import make_results_table

from .pages import write_page
from .tables import PROBE, digits_for, write_number


class Cell(NamedTuple):
    """One model's value on a task: written out, its interval, and whether it is the expert's own task."""

    value: str
    interval: str
    own: bool


def write_experts(folder: str | Path, results: Mapping[str, Any]) -> Path:
    """Write `experts.html` into the folder of experts: one page that needs neither network nor scripts.

    Args:
        folder: the folder.
        results: the table as data (see `equipoise.experts.results.gather_results`).

    Returns:
        The path of the page.
    """
    # matplotlib is imported when a page is written, not with every table.
    from .experts_figures import plot_experts

    return write_page(
        folder,
        "experts",
        results=results,
        labels=_labels(results),
        tables={split: _rows(results, split) for split in ("test", "dev")},
        figure=plot_experts(results),
        key_figures=_key_figures(results),
        has_probes=_has_probes(results),
        seconds={name: format_seconds(task["seconds"]) for name, task in results["tasks"].items()},
    )


def experts_table(results: Mapping[str, Any]) -> rich.table.Table:
    """Return the base and the experts with each task's primary metric on test, for the terminal."""
    caption = "bold: the expert's own task; run score: mean of max(0, metric)"
    table = make_results_table(
        "Experts × tasks on test, with 95 % intervals",
        caption + (f"; {PROBE} linear probe on frozen features" if _has_probes(results) else ""),
    )
    table.add_column("expert", overflow="fold", min_width=min(20, max(len(row["name"]) for row in results["rows"])))
    for name, label in _labels(results).items():
        table.add_column(Text(f"{name}\n{label}"), justify="right", overflow="fold")
    table.add_column("run\nscore", justify="right")
    for row, (cells, score) in zip(results["rows"], _rows(results, "test"), strict=True):
        table.add_row(Text(row["name"]), *map(_text, cells), score, end_section=row["expert"] is None)
    return table


def _rows(results: Mapping[str, Any], split: str) -> list[tuple[list[Cell | None], str]]:
    """Return each row's cells on a split, None where a model has no answer, and its run score."""
    values: dict[str, list[float]] = {}
    for row in results["rows"]:
        for task, record in row["metrics"][split].items():
            values.setdefault(task, []).append(abs(record["value"]))
    digits = {task: digits_for(max(found)) for task, found in values.items()}

    def cell(row: Mapping[str, Any], task: str) -> Cell | None:
        record = row["metrics"][split].get(task)
        if record is None:
            return None
        value, low, high = (write_number(record[key], digits[task]) for key in ("value", "low", "high"))
        how = row["cells"][task]["how"]
        return Cell(value + PROBE * (how == "probe"), f"[{low}, {high}]", how == "own")

    def score(row: Mapping[str, Any]) -> str:
        return "–" if row["run_score"][split] is None else write_number(row["run_score"][split], 3)

    return [([cell(row, task) for task in results["tasks"]], score(row)) for row in results["rows"]]


def _text(cell: Cell | None) -> Text:
    if cell is None:
        return Text("–", style="dim")
    text = Text(cell.value, style="bold" if cell.own else "")
    return text.append("\n" + cell.interval.replace(" ", ""), style="not bold dim")


def _labels(results: Mapping[str, Any]) -> dict[str, str]:
    return {name: get_metric(task["metric"]).label for name, task in results["tasks"].items()}


def _has_probes(results: Mapping[str, Any]) -> bool:
    return any(cell["how"] == "probe" for row in results["rows"] for cell in row["cells"].values())


def _key_figures(results: Mapping[str, Any]) -> dict[str, str]:
    base = results["rows"][0]["run_score"]["test"]
    return {
        "run score on test, each expert on its own task": f"{results['own']['test']:.3f}",
        "run score on test, base": "–" if base is None else f"{base:.3f}",
        "experts": str(len(results["tasks"])),
        "training time": format_seconds(sum(task["seconds"] for task in results["tasks"].values())),
    }
