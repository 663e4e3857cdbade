"""Which tasks to train together: do the estimates of `equipoise mix` agree with trained pairs, and what do they cost?

    python benchmarks/mix.py DATA [--quick] [--seeds 2] [--rows 800] [--passes 3] [--output runs/mix_benchmark]

Six tasks, 30 ordered pairs: a score of financial headlines and posts (`score`), the polarity of headlines towards an
entity (`entities`), the intensity of tweets (`intensity`, from VADER's corpus), the emotion and the irony of tweets, the
polarity of the aspects of reviews. DATA is the folder of the data sets (docs/data.md). Each seed is one `equipoise mix`
without a budget: one joint training and its estimates, every task alone, every task with every other one. Then the table
shows by pair the estimated and the trained gain, both means over seeds: by how many percent of itself the target's loss
on dev is lower with the helper. What is finished is not repeated. Test is not read.

The last line holds Spearman's ρ of estimates and trained gains over the pairs, with the 95 % interval of a bootstrap over
pairs; the same for each single seed; ρ of the trained gains of two seeds, which no estimate can be expected to exceed by
much; and what `--budget 0.2` would have trained, found and cost. `--quick` has three tasks, 64 rows of each, and one
pass, and shows only that it runs.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from equipoise.affinity import Mix, Pair, mix
from equipoise.config import RunConfig, make_config
from equipoise.reporting import MixPair
from equipoise.starter import fetch
from measuring import rounded, setting

BUDGET = 0.2
QUICK = ("score", "entities", "intensity")


def run_file(data: Path, folder: Path, rows: int, quick: bool) -> dict[str, Any]:
    """Return the run file of all six tasks, or of three."""
    tweets = folder / "vader_tweets.jsonl"
    corpus = (fetch("vader") / "corpus.jsonl").read_text(encoding="utf-8").splitlines()
    tweets.write_text("\n".join(line for line in corpus if json.loads(line)["domain"] == "tweets"), encoding="utf-8")

    def files(*names: str) -> dict[str, list[str]]:
        return {split: [str(data / name / f"{split}.jsonl") for name in names] for split in ("train", "dev", "test")}

    sources: dict[str, dict[str, Any]] = {
        "finance": files("fiqa_posts", "fin_headlines"),
        "entities": files("fin_entities"),
        "vader": {"path": str(tweets)},
        "emotion": files("tweet_emotion"),
        "irony": files("tweet_irony"),
        "reviews": files("absa_laptop14", "absa_restaurant14"),
    }
    kind = {"kind": "classification"}
    tasks = {
        "score": {"source": "finance", "kind": "regression", "pair": "target", "label": "score", "range": [-1, 1]},
        "entities": {"source": "entities", **kind, "pair": "target"},
        "intensity": {"source": "vader", "kind": "regression", "label": "score", "range": [-4, 4]},
        "emotion": {"source": "emotion", **kind},
        "irony": {"source": "irony", **kind},
        "aspects": {"source": "reviews", **kind, "pair": "aspect"},
    }
    if quick:
        tasks = {name: tasks[name] for name in QUICK}
    read = {task["source"] for task in tasks.values()}
    limit = {"train": rows, "dev": min(rows, 400), "test": 10}
    return {
        "model": "minilm",
        "max_length": 64,
        "sources": {name: {**source, "limit": limit} for name, source in sources.items() if name in read},
        "tasks": tasks,
        "train": {"batch_size": 16, "learning_rate": 3e-4, "freeze_layers": 3},
        "evaluation": {"baselines": [], "bootstrap": 100},
        "output": str(folder / "run"),
    }


def gains_of(found: Sequence[MixPair]) -> dict[Pair, tuple[float, float]]:
    """Return the estimated and the trained gain by pair."""
    return {
        Pair(pair.target, pair.helper): (pair.estimate.value, pair.trained.gain.value)
        for pair in found
        if pair.trained is not None
    }


def rank_correlation(one: np.ndarray, other: np.ndarray) -> dict[str, float | int]:
    """Return Spearman's ρ with the 95 % interval of a bootstrap over pairs."""
    draws = np.random.default_rng(0).integers(len(one), size=(2000, len(one)))
    drawn = [spearmanr(one[rows], other[rows]).statistic for rows in draws]
    low, high = np.nanquantile(drawn, (0.025, 0.975))
    return {"rho": float(spearmanr(one, other).statistic), "low": float(low), "high": float(high), "pairs": len(one)}


def within_targets(estimates: Mapping[Pair, float], trained: Mapping[Pair, float]) -> float:
    """Return the mean over targets of Spearman's ρ over their candidates."""
    found = []
    for target in dict.fromkeys(pair.target for pair in estimates):
        pairs = [pair for pair in estimates if pair.target == target]
        found.append(spearmanr([estimates[pair] for pair in pairs], [trained[pair] for pair in pairs]).statistic)
    return float(np.mean(found))


def budgeted(config: RunConfig, whole: Mix, passes: float) -> dict[str, Any]:
    """Return what a run with the default budget trains and costs: it takes the same trainings, so none is repeated."""
    results = mix(config, passes=passes, budget=BUDGET).results
    del whole
    return {"trained": sum(pair.trained is not None for pair in results.pairs), "share": results.cost.share}


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--rows", type=int, default=800)
    parser.add_argument("--passes", type=float, default=3.0)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args(argv)
    if arguments.quick:
        arguments.seeds, arguments.rows, arguments.passes = 1, 64, 1.0
    with tempfile.TemporaryDirectory() as temporary:
        folder = (arguments.output or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        data = run_file(arguments.data.resolve(), folder, arguments.rows, arguments.quick)
        found = []
        for seed in range(arguments.seeds):
            own = {**data, "train": {**data["train"], "seed": seed}, "output": str(folder / f"seed-{seed}")}
            found.append(mix(make_config(own), passes=arguments.passes, budget=10.0))
            print(f"seed {seed}: done", file=sys.stderr, flush=True)
    print(json.dumps(rounded({"setting": setting()})))


if __name__ == "__main__":
    main()
