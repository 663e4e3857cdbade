"""Do windows help on long documents? Film reviews, cut or read in windows.

    python benchmarks/long_documents.py [--data FOLDER] [--quick] [--seeds 3] [--train-rows 300] [--scored-rows 200]

Each cell is one training of MiniLM on the reviews of a folder (train.jsonl, dev.jsonl, test.jsonl with `text` and
`label`; by default `suite/imdb` in the folder that EQUIPOISE_DATA names), `max_length` 128 and two epochs:

- cut: `long_texts: cut`, the beginning of each review;
- windows: `long_texts: windows`, one window of each review per epoch, and all of them in predictions;
- cut, then windows: the model of `cut`, whose predictions read all windows.

The table has the accuracy on dev and test (mean over seeds with a 95 % t-interval), and the seconds of training and of
scoring dev and test once.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from equipoise.config import RunConfig, make_config
from equipoise.evaluation import evaluate
from equipoise.evaluation.statistics import Estimate, mean_interval
from equipoise.modeling import Predictor, load
from equipoise.training import train
from measuring import rounded, setting

WAYS = ("cut", "windows", "cut, then windows")
SPLITS = ("dev", "test")


def config_for(data: Path, model: str, sizes: tuple[int, int], max_length: int, seed: int) -> RunConfig:
    """Make the run file of one training; what differs between the ways is left out."""
    limit = {"train": sizes[0], "dev": sizes[1], "test": sizes[1]}
    return make_config(
        {
            "model": model,
            "max_length": max_length,
            "sources": {"reviews": {"path": str(data), "limit": limit}},
            "tasks": {"polarity": {"source": "reviews", "kind": "classification", "label": "label"}},
            "balance": "equal",
            "train": {"epochs": 2, "evaluations": 2, "seed": seed},
            "evaluation": {"baselines": [], "bootstrap": 100},
            "output": "run",
        }
    )


def score(predictor: Predictor, config: RunConfig) -> dict[str, float]:
    """Return the accuracy of a model on each split."""
    return {
        split: next(
            record["value"]
            for record in evaluate(predictor, config, split=split)
            if record["metric"] == "accuracy" and record["subset"] == "all"
        )
        for split in SPLITS
    }


def run_seed(config: RunConfig) -> dict[str, dict[str, Any]]:
    """Train both ways with one seed; return accuracies and seconds by way."""
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for way in ("cut", "windows"):
            own = config.model_copy(update={"long_texts": way, "output": Path(folder) / way})
            began = time.monotonic()
            run = train(own)
            seconds = time.monotonic() - began
            notes = json.loads((run.folder / "data.json").read_text(encoding="utf-8"))["notes"]
            predictor = load(run.folder)
            read = {way: predictor}
            if way == "cut":
                read["cut, then windows"] = Predictor(predictor.model.with_long_texts("windows"))
            for name, one in read.items():
                began = time.monotonic()
                scores = score(one, own)
                found[name] = {
                    **scores,
                    "train_seconds": seconds,
                    "score_seconds": time.monotonic() - began,
                    "notes": [note for note in notes if "do not fit" in note],
                }
    return found


def gather(seeds: Sequence[dict[str, dict[str, Any]]], way: str) -> dict[str, Any]:
    """Return one row of the table."""
    own = [found[way] for found in seeds]
    return {
        "way": way,
        **{split: mean_interval([one[split] for one in own]) for split in SPLITS},
        **{f"{split}_gain": mean_interval([s[way][split] - s["cut"][split] for s in seeds]) for split in SPLITS},
        **{key: float(np.mean([one[key] for one in own])) for key in ("train_seconds", "score_seconds")},
    }


def write(estimate: Estimate, sign: str = "") -> str:
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:{sign}.3f}"
    return f"{estimate.value:{sign}.3f} [{estimate.low:{sign}.3f}, {estimate.high:{sign}.3f}]"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = Path(os.environ.get("EQUIPOISE_DATA", ".")) / "suite" / "imdb"
    parser.add_argument("--data", type=Path, default=default, help="folder of train.jsonl, dev.jsonl and test.jsonl")
    parser.add_argument("--model", default="minilm")
    parser.add_argument("--max-length", type=int, default=128)
    parser.add_argument("--seeds", type=int, default=3, help="how many: 0, 1, …")
    parser.add_argument("--train-rows", type=int, default=300)
    parser.add_argument("--scored-rows", type=int, default=200, help="dev rows, and test rows")
    parser.add_argument("--quick", action="store_true", help="one seed, 32 training rows, 16 dev and test rows")
    chosen = parser.parse_args(arguments)
    sizes = (32, 16) if chosen.quick else (chosen.train_rows, chosen.scored_rows)
    seeds = []
    for seed in range(1 if chosen.quick else chosen.seeds):
        seeds.append(run_seed(config_for(chosen.data, chosen.model, sizes, chosen.max_length, seed)))
    rows = [gather(seeds, way) for way in WAYS]
    for note in seeds[0]["windows"]["notes"]:
        print(note)
    heads = ("texts are read", "dev accuracy", "test accuracy", "dev gain", "test gain", "train s", "score s")
    print(f"{heads[0]:18}" + "".join(f"{head:>26}" for head in heads[1:5]) + "".join(f"{h:>9}" for h in heads[5:]))
    for row in rows:
        figures = [write(row["dev"]), write(row["test"]), write(row["dev_gain"], "+"), write(row["test_gain"], "+")]
        times = [f"{row[key]:9.0f}" for key in ("train_seconds", "score_seconds")]
        print(f"{row['way']:18}" + "".join(f"{figure:>26}" for figure in figures) + "".join(times))
    print(
        json.dumps(
            {"rows": [rounded(row) for row in rows], "sizes": sizes, "notes": seeds[0]["windows"]["notes"], **setting()}
        )
    )


if __name__ == "__main__":
    main()
