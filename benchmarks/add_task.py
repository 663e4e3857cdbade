"""A new task on a trained model: what `equipoise add-task` learns of it, and what the old tasks lose.

    python benchmarks/add_task.py DATA [--quick] [--seeds 2] [--rows 400] [--layers 2] [--output DIR]

The first model is trained on two tasks, the intensity and the polarity of product reviews (VADER's corpus). The new
task is the emotion of tweets. All but the upper `--layers` of MiniLM are frozen. DATA is the folder of the data sets
(docs/data.md).

Ways: `--freeze`; the model trained along without protection (`train.protect=0`), and with it (1 and 3). Each seed
trains a first model, and then adds the task to it in every way. The table shows primary metrics on test, means over
seeds with the standard deviation behind ±: the new task's, and the old tasks' before and after. The row `trained alone`
is a new model for the new task, with the same settings. These are the same for all ways and were not tuned. `--quick`
has one seed, 64 rows, one epoch and two ways, and shows only that all of it runs.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from equipoise.config import make_config
from equipoise.starter import fetch
from equipoise.training import add_task, train
from measuring import setting

LAYERS = 6
"""Of MiniLM."""
OLD = ("intensity", "polarity")
NEW = "emotion"
WAYS: dict[str, dict[str, Any]] = {
    "--freeze": {"freeze": True},
    "train.protect=0": {"protect": 0.0},
    "train.protect=1": {"protect": 1.0},
    "train.protect=3": {"protect": 3.0},
}
QUICK = ("--freeze", "train.protect=1")
BEFORE, ALONE = "before", "trained alone"

Scores = dict[str, dict[str, list[float]]]
"""By way and task the primary metric on test, one number for each seed."""


def run_files(data: Path, folder: Path, arguments: argparse.Namespace) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the run files of the first model and of the new task."""
    reviews = folder / "reviews.jsonl"
    corpus = (fetch("vader") / "corpus.jsonl").read_text(encoding="utf-8").splitlines()
    chosen = [line for line in corpus if json.loads(line)["domain"] == "products"]
    reviews.write_text("\n".join(chosen), encoding="utf-8")
    few = 64 if arguments.quick else 400
    limit = {"train": arguments.rows, "dev": min(arguments.rows, few), "test": few}
    common = {
        "model": "minilm",
        "max_length": 64,
        "train": {
            "epochs": 1 if arguments.quick else 3,
            "evaluations": 1 if arguments.quick else 3,
            "learning_rate": 2e-4,
            "freeze_layers": LAYERS - arguments.layers,
        },
        "evaluation": {"baselines": [], "bootstrap": 100},
    }
    polarity = {"classes": ["negative", "neutral", "positive"], "thresholds": [-0.5, 0.5]}
    tweets = {split: str(data / "tweet_emotion" / f"{split}.jsonl") for split in ("train", "dev", "test")}
    old = {
        "sources": {"reviews": {"path": str(reviews), "limit": limit}},
        "tasks": {
            "intensity": {"source": "reviews", "kind": "regression", "label": "score", "range": [-4, 4]},
            "polarity": {"source": "reviews", "kind": "classification", "label": "score", "from_score": polarity},
        },
    }
    new = {
        "sources": {"tweets": {**tweets, "limit": limit}},
        "tasks": {NEW: {"source": "tweets", "kind": "classification", "label": "label"}},
    }
    return {**common, **old}, {**common, **new}


def with_seed(data: dict[str, Any], seed: int, output: Path, **settings: Any) -> Any:
    return make_config({**data, "train": {**data["train"], "seed": seed, **settings}, "output": str(output)})


def run_seed(
    files: tuple[dict[str, Any], dict[str, Any]], folder: Path, seed: int, quick: bool, scores: Scores
) -> None:
    """Train a first model, add the task in every way, and note all scores."""
    old, new = files
    first = train(with_seed(old, seed, folder / f"first-{seed}"), resume=True)
    alone = train(with_seed(new, seed, folder / f"alone-{seed}"), resume=True)
    tasks = make_config({**new, "output": "unused"}).open_tasks()
    note(scores, ALONE, alone.records, tasks, "run")
    for number, (way, options) in enumerate(WAYS.items()):
        if quick and way not in QUICK:
            continue
        settings = {key: value for key, value in options.items() if key == "protect"}
        config = with_seed(new, seed, Path("unused"), **settings)
        freeze = "freeze" in options
        added = add_task(first.folder, config, folder / f"added-{seed}-{number}", freeze=freeze, overwrite=True)
        note(scores, way, added.records, added.tasks, "after")
        if freeze:
            note(scores, BEFORE, added.records, added.tasks, "before")


def note(scores: Scores, way: str, records: list[Any], tasks: dict[str, Any], model: str) -> None:
    for record in records:
        place = record["split"], record["subset"], record["model"]
        if place == ("test", "all", model) and record["metric"] == tasks[record["task"]].metric:
            scores.setdefault(way, {}).setdefault(record["task"], []).append(record["value"])


def describe(values: list[float]) -> str:
    spread = f" ±{np.std(values, ddof=1):.3f}" if len(values) > 1 else ""
    return f"{np.mean(values):.3f}{spread}" if values else "–"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--rows", type=int, default=400)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.seeds, arguments.rows, arguments.layers = 1, 64, 1
    scores: Scores = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.output or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        files = run_files(arguments.data.absolute(), folder.absolute(), arguments)
        for seed in range(arguments.seeds):
            run_seed(files, folder.absolute(), seed, arguments.quick, scores)
    print("| way | emotion, new | intensity, old | polarity, old |\n|---|---|---|---|")
    for way in (BEFORE, *WAYS, ALONE):
        if way in scores:
            cells = [describe(scores[way].get(task, [])) for task in (NEW, *OLD)]
            print(f"| {way} | {' | '.join(cells)} |")
    print(json.dumps({"scores": scores, "rows": arguments.rows, "layers": arguments.layers, **setting()}))


if __name__ == "__main__":
    main()
