"""A merge's numbers, written out for the page and the terminal alike."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from equipoise.kinds import get_metric
from equipoise.progress import format_seconds

from .compare_results import Estimate
from .compare_tables import Column, Text, write_estimates
from .merge_results import Candidate, MergeResults, RowKind, SearchResult
from .tables import write_number

BETTER, WORSE = "▲", "▼"
"""What stands behind a value that differs from the best evolved row's."""
_LEVEL = 0.05


class Row(NamedTuple):
    """A row written out: name, in a word, a cell a task, run score, share of the experts' scores it keeps."""

    name: str
    about: str
    cells: list[Text | None]
    run_score: Text | None
    kept: str


def task_columns(results: MergeResults) -> dict[str, str]:
    """The label of each task's primary metric."""
    return {name: get_metric(task["metric"]).label for name, task in results["tasks"].items()}


def write_rows(results: MergeResults, split: str) -> list[Row]:
    """Write out all rows on a split, the best of each column marked; on test with what paired tests found."""
    rows = results["rows"]
    columns = [_column(results, task, split) for task in results["tasks"]]
    scores = write_estimates([_estimate(row["run_score"][split]) for row in rows], True, 3)
    kept = results["kept"] if split == "test" else {}
    shares = [_share(kept.get(row["name"])) for row in rows]
    return [
        Row(row["name"], row["about"], [column.cells[i] for column in columns], scores[i], shares[i])
        for i, row in enumerate(rows)
    ]


def _column(results: MergeResults, task: str, split: str) -> Column:
    metric = get_metric(results["tasks"][task]["metric"])
    records = [row["metrics"][split].get(task) for row in results["rows"]]
    estimates = [one and Estimate(one["value"], one["low"], one["high"]) for one in records]
    cells = write_estimates(estimates, metric.higher_is_better)
    marks = find_marks(results) if split == "test" else {}
    marked = [
        cell and cell._replace(value=cell.value + marks.get((row["name"], task), ""))
        for cell, row in zip(cells, results["rows"], strict=True)
    ]
    return Column(metric.label, not metric.higher_is_better, True, marked)


def find_marks(results: MergeResults) -> dict[tuple[str, str], str]:
    """Return a mark for each row and task whose errors on test differ from the best evolved row's, after Holm."""
    return {
        (test["row"], test["task"]): BETTER if test["difference"]["value"] < 0 else WORSE
        for test in results["tests"]
        if test["p_holm"] < _LEVEL
    }


def key_figures(results: MergeResults) -> dict[str, str]:
    """What the page says first, all on test."""
    rows = {row["name"]: row for row in results["rows"]}
    score = {name: row["run_score"]["test"] for name, row in rows.items()}
    best = results["best_row"]
    figures = {f"run score on test, {best}": write_number(score[best], 3)}
    baselines = [name for name, row in rows.items() if row["kind"] == RowKind.BASELINE]
    if baselines:
        baseline = max(baselines, key=lambda name: score[name])
        figures[f"best other merge, {baseline}"] = write_number(score[baseline], 3)
    for name, label in (("joint", "joint training"), ("experts", "experts on their own tasks")):
        if name in rows:
            figures[label] = write_number(score[name], 3)
    figures["of the experts’ scores kept"] = _share(results["kept"][best])
    if "base" in rows:
        found, base = rows[best]["metrics"]["test"], rows["base"]["metrics"]["test"]
        both = [task for task in results["tasks"] if task in found and task in base]
        better = sum(_better(results, task, found[task]["value"], base[task]["value"]) for task in both)
        figures["tasks on which it beats the base"] = f"{better} of {len(both)}"
    return figures


def _better(results: MergeResults, task: str, value: float, other: float) -> bool:
    return value > other if get_metric(results["tasks"][task]["metric"]).higher_is_better else value < other


def pruned_candidates(candidates: Sequence[Candidate]) -> set[int]:
    """The numbers of the candidates that were not scored on all rows."""
    all_folds = max(one["folds"] for one in candidates)
    return {one["number"] for one in candidates if one["folds"] < all_folds}


def starts(search: SearchResult) -> dict[str, int]:
    """The numbers of the candidates that a search started from."""
    return {one["start"]: one["number"] for one in search["candidates"] if one["start"]}


def coefficients(search: SearchResult) -> dict[str, dict[str, list[float]]]:
    """Return the numbers of a search by member or option, by block of layers ("" for the whole model), by candidate."""
    found: dict[str, dict[str, list[float]]] = {}
    for one in search["parameters"]:
        title = one["member"] if one["member"] is not None else f"option {one['option']}"
        block = "" if one["block"] is None else f"block {one['block'] + 1}"
        found.setdefault(title, {})[block] = [candidate["numbers"][one["key"]] for candidate in search["candidates"]]
    return found


def write_chosen(search: SearchResult) -> dict[str, str]:
    """Write the chosen candidate's numbers by member or option; those of several blocks one after the other."""
    place = next(i for i, one in enumerate(search["candidates"]) if one["number"] == search["chosen"])
    return {
        name: " / ".join(write_number(values[place], 2) for values in lines.values())
        for name, lines in coefficients(search).items()
    }


def search_rows(results: MergeResults) -> list[dict[str, Any]]:
    """Write out what each search found."""
    rows = []
    for name, search in results["searches"].items():
        candidates = search["candidates"]
        chosen = next(one for one in candidates if one["number"] == search["chosen"])
        found = list(search["finalists"].values())
        begun = {number: start for start, number in starts(search).items()}.get(search["chosen"])
        rows.append(
            {
                "name": name,
                "candidates": len(candidates),
                "pruned": len(pruned_candidates(candidates)),
                "chosen": f"{search['chosen']}{f' ({begun})' if begun else ''}",
                "fitness": write_number(chosen["fitness"], 3),
                "dev": write_number(search["dev"], 3),
                "finalists": f"{len(found)}, {write_number(min(found), 3)} to {write_number(max(found), 3)}",
                "agreement": "–" if search["agreement"] is None else write_number(search["agreement"], 2),
                "coefficients": write_chosen(search),
            }
        )
    return rows


def time_rows(results: MergeResults) -> list[tuple[str, str]]:
    """Write out the time of each cell, in words."""
    said = {
        "weak": "choosing weak rows",
        "search": "search {}, finalists on dev included",
        "row": "row {} on dev and test",
        "expert": "expert {} on dev, for the heat map",
    }
    return [(said[one["kind"]].format(one["name"]), format_seconds(one["seconds"])) for one in results["times"]]


def percent(share: float) -> str:
    """Write a share in percent."""
    return f"{write_number(100 * share, 1)} %"


def _share(share: float | None) -> str:
    return "–" if share is None else percent(share)


def _estimate(value: float | None) -> Estimate | None:
    return None if value is None else Estimate(value)
