"""Do calibrated models keep what they promise? Coverage of sets and intervals, ECE and AURC before and after, on test.

For each data set and seed one model is trained as its run file says. Of every task the share of test labels that sets
and intervals at 0.8, 0.9 and 0.95 hold is compared with two bands in which it lies by chance 95 times of 100:
`binomial`, as if the bound were known; and `exact`, the beta-binomial law of split conformal prediction, which also
knows that dev is finite (Vovk 2012, arXiv 1209.2673).

    python benchmarks/trust.py [--quick] [--seeds 3] [--set train.max_steps=150 …] [--output cells.jsonl]

The quickstart's corpus needs its starters; finance and emotion need EQUIPOISE_DATA (docs/data.md). `--quick` trains on
a slice of the corpus, for some steps. `--set` changes all run files: coverage must hold for a model that is trained
less, too. With `--output` a finished training is a line, and is not repeated. The last line is one JSON object.
"""

import argparse
import json
import math
import os
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Any

from scipy.stats import betabinom, binom

from equipoise import load, train
from equipoise.config import RunConfig, load_config
from equipoise.evaluation import LEVELS, UNCALIBRATED
from equipoise.files import append_json_line, read_json_lines
from equipoise.kinds import Conformity

EXAMPLES = Path(__file__).parent.parent / "examples"
QUICK = [
    "sources.vader.limit.train=400",
    "sources.vader.limit.dev=120",
    "sources.vader.limit.test=240",
    "max_length=32",
]


def list_runs(quick: bool, folder: Path, settings: list[str]) -> dict[str, RunConfig]:
    """Return the run files by data set."""
    given = [f"output={folder / 'run'}", *settings]
    base = str(files("equipoise.starter") / "quickstart.yaml")
    if quick:
        return {"quickstart": load_config(base, [*given, *QUICK, "train.max_steps=10", "train.evaluations=1"])}
    runs = {"quickstart": load_config(base, given)}
    if "EQUIPOISE_DATA" in os.environ:
        runs["finance"] = load_config(EXAMPLES / "finance.yaml", given)
        whole = load_config(EXAMPLES / "tweets_and_aspects.yaml", given)
        emotion = {"tasks": {"emotion": whole.tasks["emotion"]}, "sources": {"emotion": whole.sources["emotion"]}}
        runs["emotion"] = whole.model_copy(update=emotion)
    return runs


def band(law: Any, rows: int) -> tuple[float, float]:
    """Return between which shares of the rows 95 % of a law of counts lie."""
    low, high = law.ppf([0.025, 0.975])
    return float(low) / rows, float(high) / rows


def measure_level(level: float, coverage: dict[str, Any], conformity: Conformity) -> dict[str, Any]:
    """Return a coverage with its bands."""
    rank, rows = math.ceil(round((conformity.rows + 1) * level, 9)), coverage["n"]
    bands = {
        "binomial": band(binom(rows, level), rows),
        "exact": band(betabinom(rows, rank, conformity.rows + 1 - rank), rows),
    }
    inside = {f"in_{name}": low <= coverage["value"] <= high for name, (low, high) in bands.items()}
    return {"level": level, "coverage": coverage["value"], **bands, **inside}


def run_seed(name: str, config: RunConfig, seed: int) -> list[dict[str, Any]]:
    """Train one model; return one row for each of its tasks."""
    settings = config.train.model_copy(update={"seed": seed})
    with tempfile.TemporaryDirectory() as folder:
        run = train(config.model_copy(update={"train": settings, "output": Path(folder) / "run"}))
        tasks = load(run.folder).tasks
    found = {
        (one["task"], one["model"], one["metric"]): one
        for one in run.records
        if one["split"] == "test" and one["subset"] == "all"
    }
    rows = []
    for task, about in tasks.items():
        assert about.conformity is not None
        levels = [
            measure_level(level, one, about.conformity)
            for level in LEVELS
            if (one := found.get((task, "run", f"coverage_{round(100 * level)}"))) is not None
        ]
        values = {
            f"{metric}_{when}": one["value"]
            for metric in ("ece", "brier", "aurc", "mse")
            for when, model in (("before", UNCALIBRATED), ("after", "run"))
            if (one := found.get((task, model, metric))) is not None
        }
        rows.append(
            {"data": name, "seed": seed, "task": task, "dev": about.conformity.rows, "levels": levels, **values}
        )
    return rows


def write(row: dict[str, Any]) -> str:
    """Write one row for reading."""
    levels = "  ".join(
        f"{one['level']:g}: {one['coverage']:.3f}{'' if one['in_binomial'] else '*' if one['in_exact'] else '**'}"
        for one in row["levels"]
    )
    changes = "  ".join(
        f"{metric} {row.get(f'{metric}_before', row[f'{metric}_after']):.4f} → {row[f'{metric}_after']:.4f}"
        for metric in ("ece", "brier", "aurc", "mse")
        if f"{metric}_after" in row
    )
    return f"{row['data']:<11} {row['seed']:>4} {row['task']:<20} {row['dev']:>5}  {levels}  {changes}"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--set", action="append", default=[], dest="settings", help="key=value for all run files")
    parser.add_argument("--output", type=Path, help="a line for each finished training")
    options = parser.parse_args(arguments)
    known = read_json_lines(options.output) if options.output and options.output.exists() else []
    done = {(one["data"], one["seed"]): one["rows"] for one in known if one["settings"] == options.settings}
    rows: list[dict[str, Any]] = []
    print("data        seed task                   dev  coverage (* outside the binomial band, ** the exact one, too)")
    with tempfile.TemporaryDirectory() as folder:
        for name, config in list_runs(options.quick, Path(folder), options.settings).items():
            for seed in range(1 if options.quick else options.seeds):
                if (name, seed) not in done:
                    done[name, seed] = run_seed(name, config, seed)
                    if options.output:
                        cell = {"data": name, "seed": seed, "settings": options.settings, "rows": done[name, seed]}
                        append_json_line(options.output, cell)
                for row in done[name, seed]:
                    rows.append(row)
                    print(write(row), flush=True)
    levels = [one for row in rows for one in row["levels"]]
    inside = {key: sum(one[key] for one in levels) for key in ("in_binomial", "in_exact")}
    print(json.dumps({"coverages": len(levels), **inside, "rows": rows}))


if __name__ == "__main__":
    main()
