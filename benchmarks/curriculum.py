"""Does the order of the examples help? Every schedule by every measure of difficulty, beside training without.

    python benchmarks/curriculum.py [RUN.yaml …] [--quick] [--seeds 3] [--jobs 2] [--output FILE.jsonl]

The suites are run files with two tasks or more, by default `examples/tweets_and_aspects.yaml` and
`examples/finance_joint.yaml`, at most 800 training rows and 500 dev and test rows of each source. Each cell is one
training with one schedule, one measure and one seed; with `--output` a finished cell is one line of JSON, and called
again only what is missing is trained. The table has the run score on dev and test with 95 % t-intervals over seeds, the
paired difference to `none` seed by seed, and the cost: seconds of training, seconds of measuring difficulty before it,
and the ratio of both to `none`.
"""

import argparse
import hashlib
import json
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from equipoise.config import RunConfig, load_config
from equipoise.evaluation.statistics import Estimate, mean_interval
from equipoise.files import append_json_line, read_json_lines
from equipoise.training import train
from measuring import begin_worker, setting

EXAMPLES = Path(__file__).parents[1] / "examples"
SUITES = (EXAMPLES / "tweets_and_aspects.yaml", EXAMPLES / "finance_joint.yaml")
SCHEDULES = ("competence", "anti", "mixed", "sequential")
MEASURES = ("metadata", "pvi", "dynamics")
ROWS = (("none", ""), *((schedule, by) for schedule in SCHEDULES for by in MEASURES))
QUICK_ROWS = (("none", ""), ("competence", "pvi"), ("mixed", "dynamics"))


class Cell(NamedTuple):
    """One training."""

    suite: str
    schedule: str
    by: str
    seed: int
    config: RunConfig


def make_config(path: Path, overrides: Sequence[str], train_rows: int, scored_rows: int) -> RunConfig:
    """Read a run file, with fewer rows of every source, and without what the table does not show."""
    plain = load_config(path, overrides)
    limits = {"train": train_rows, "dev": scored_rows, "test": scored_rows}
    small = [f"sources.{name}.limit={json.dumps(limits)}" for name in plain.sources]
    return load_config(path, [*small, "evaluation={baselines: [], bootstrap: 100}", *overrides])


def make_cell(suite: str, config: RunConfig, schedule: str, by: str, seed: int) -> Cell:
    changes = {"schedule": schedule, **({"by": by} if by else {})}
    curriculum = config.curriculum.model_copy(update=changes)
    settings = config.train.model_copy(update={"seed": seed})
    return Cell(suite, schedule, by, seed, config.model_copy(update={"curriculum": curriculum, "train": settings}))


def key(cell: Cell) -> str:
    """Name a cell by all that decides its result; without defaults, so that a later version with more keys goes on."""
    said = json.dumps(cell.config.model_dump(mode="json", exclude={"output"}, exclude_defaults=True), sort_keys=True)
    return f"{cell.suite}/{cell.schedule}/{cell.by}/{cell.seed}/{hashlib.sha256(said.encode()).hexdigest()[:8]}"


def run_cell(cell: Cell) -> dict[str, Any]:
    """Train one cell in a folder that is thrown away, and return its record."""
    with tempfile.TemporaryDirectory() as folder:
        run = train(cell.config.model_copy(update={"output": Path(folder) / "run"}))
        summary = json.loads((run.folder / "summary.json").read_text(encoding="utf-8"))
    return {
        "key": key(cell),
        "suite": cell.suite,
        "schedule": cell.schedule,
        "by": cell.by,
        "seed": cell.seed,
        **summary["run_score"],
        "steps": summary["steps"],
        "difficulty_seconds": summary["difficulty_seconds"],
        "train_seconds": summary["seconds"],
    }


def run_all(cells: Sequence[Cell], jobs: int, output: Path | None) -> dict[str, dict[str, Any]]:
    """Train the cells that no record has yet, in `jobs` processes; return all records by key."""
    records = {record["key"]: record for record in (read_json_lines(output) if output else ())}
    missing = [cell for cell in cells if key(cell) not in records]
    threads = max(1, torch.get_num_threads() // jobs)
    with ProcessPoolExecutor(jobs, get_context("spawn"), begin_worker, (threads,)) as pool:
        for future in as_completed([pool.submit(run_cell, cell) for cell in missing]):
            record = future.result()
            records[record["key"]] = record
            if output:
                append_json_line(output, record)
    return records


def gather(found: Sequence[dict[str, Any]], none: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return a row: run scores, paired differences to training without a curriculum, and cost."""
    scores = {split: [record[split] for record in found] for split in ("dev", "test")}
    gains = {
        split: [one[split] - other[split] for one, other in zip(found, none, strict=True)] for split in ("dev", "test")
    }
    cost = np.mean([record["difficulty_seconds"] + record["train_seconds"] for record in found])
    plain = np.mean([record["difficulty_seconds"] + record["train_seconds"] for record in none])
    return {
        "schedule": found[0]["schedule"],
        "by": found[0]["by"],
        **{split: mean_interval(values) for split, values in scores.items()},
        **{f"{split}_gain": mean_interval(values) for split, values in gains.items()},
        "difficulty_seconds": float(np.mean([record["difficulty_seconds"] for record in found])),
        "train_seconds": float(np.mean([record["train_seconds"] for record in found])),
        "ratio": float(cost / plain),
    }


def write(estimate: Estimate, digits: int = 4, sign: str = "") -> str:
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:{sign}.{digits}f}"
    return f"{estimate.value:{sign}.{digits}f} [{estimate.low:{sign}.{digits}f}, {estimate.high:{sign}.{digits}f}]"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("suites", nargs="*", type=Path, help="run files with two tasks or more; default: two examples")
    parser.add_argument("--quick", action="store_true", help="one suite, three rows, few texts: under a minute")
    parser.add_argument("--seeds", type=int, default=3, help="how many: 0, 1, …")
    parser.add_argument("--train-rows", type=int, default=800, help="training rows of each source at most")
    parser.add_argument("--scored-rows", type=int, default=500, help="dev rows, and test rows, of each source at most")
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--jobs", type=int, default=1, help="trainings at a time; they share the cores")
    parser.add_argument("--output", type=Path, help="JSONL file of finished cells, to go on from")
    chosen = parser.parse_args(arguments)
    suites, rows, seeds = chosen.suites or list(SUITES), ROWS, range(chosen.seeds)
    train_rows, scored_rows, overrides = chosen.train_rows, chosen.scored_rows, list(chosen.overrides)
    if chosen.quick:
        suites, rows, seeds, train_rows, scored_rows = suites[-1:], QUICK_ROWS, range(2), 64, 32
        chosen.jobs = 2
        overrides = ["train.epochs=2", "train.evaluations=1", *overrides]
    configs = {path.stem: make_config(path, overrides, train_rows, scored_rows) for path in suites}
    cells = [
        make_cell(suite, config, schedule, by, seed)
        for seed in seeds
        for suite, config in configs.items()
        for schedule, by in rows
    ]
    records = run_all(cells, chosen.jobs, chosen.output)

    results: dict[str, list[dict[str, Any]]] = {}
    for suite in configs:
        own = [records[key(cell)] for cell in cells if cell.suite == suite]
        by_row = {row: [one for one in own if (one["schedule"], one["by"]) == row] for row in rows}
        results[suite] = [gather(found, by_row["none", ""]) for found in by_row.values()]
        print(f"\n{suite}: run score over {len(seeds)} seeds\n")
        print(f"{'schedule':11}{'by':10}{'dev':26}{'test':26}{'test, less none':30}{'s':>7}{'+ s':>7}{'ratio':>7}")
        for row in results[suite]:
            gain = "–" if row["schedule"] == "none" else write(row["test_gain"], sign="+")
            print(
                f"{row['schedule']:11}{row['by'] or '–':10}{write(row['dev']):26}{write(row['test']):26}{gain:30}"
                f"{row['train_seconds']:7.1f}{row['difficulty_seconds']:7.1f}{row['ratio']:7.2f}"
            )
    print("\ns: training; + s: measuring difficulty; ratio: both, to none; brackets: 95 % t-intervals over seeds\n")
    sizes = {"seeds": len(seeds), "train_rows": train_rows, "scored_rows": scored_rows}
    table = {suite: [_plain(row) for row in found] for suite, found in results.items()}
    print(json.dumps({"benchmark": "curriculum", "table": table} | sizes | setting()))


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row as JSON has it: estimates as [value, low, high]."""
    return {
        name: [None if part is None else round(part, 5) for part in value] if isinstance(value, tuple) else value
        for name, value in row.items()
    }


if __name__ == "__main__":
    main()
