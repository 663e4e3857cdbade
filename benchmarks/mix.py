"""Which tasks to train together: do the estimates of `equipoise mix` agree with trained pairs, and what do they cost?

    python benchmarks/mix.py DATA [--tasks six|suite] [--quick] [--seeds 2] [--rows 400] [--passes 1]
                                  [--output runs/mix_benchmark]

Six tasks, 30 ordered pairs. `six`: a score of financial headlines and posts (`score`), the polarity of headlines
towards an entity (`entities`), the intensity of tweets (`intensity`, from VADER's corpus), the emotion and the irony of
tweets, the polarity of the aspects of reviews. `suite`: of the public sets, the stars of film reviews, the polarity of
tweets, of aspects of laptops and of restaurants, irony, and the stance towards a target: three of them close to each
other, three not. DATA is the folder of the data sets (docs/data.md).

Each seed is one `equipoise mix` with the default budget, which is what a user runs, and then with a budget for
everything: every task alone, every task with every other one. The table shows by pair the estimated and the trained
gain, means over seeds: by how many percent of itself the target's loss on dev is lower with the helper. What is
finished is not repeated. Test is not read.

The last line holds Spearman's ρ of estimated and trained gains over the pairs, with the 95 % interval of a bootstrap
over pairs, and the mean of ρ within targets; the same for each seed by itself; ρ of the trained gains of two seeds,
which says how much of them is chance; and what the default budget trained, chose and cost. `--quick` has three tasks,
64 rows of each, and one pass, and shows only that it runs.
"""

import argparse
import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr
from torch import Tensor

from equipoise.affinity import mix
from equipoise.config import make_config
from equipoise.modeling import FrozenLayers, MultiTaskModel, evaluating
from equipoise.modeling.backbone import find_layers
from equipoise.reporting import MixPair, MixResults, TrainedPair
from equipoise.starter import fetch
from measuring import setting

Floats = npt.NDArray[np.float64]
BUDGET = 0.2
FROZEN = 5
"""Layers of the six, from below, that stay as they are."""
SCORE = "score"
"""The target that the table of the documentation is about."""
QUICK = 3
"""How many of the tasks --quick takes."""

Parts = dict[str, dict[str, Any]]


def files(data: Path, *names: str) -> dict[str, list[str]]:
    return {split: [str(data / name / f"{split}.jsonl") for name in names] for split in ("train", "dev", "test")}


def six_tasks(data: Path, folder: Path) -> tuple[Parts, Parts]:
    """Return sources and tasks of finance, tweets and reviews."""
    tweets = folder / "vader_tweets.jsonl"
    corpus = (fetch("vader") / "corpus.jsonl").read_text(encoding="utf-8").splitlines()
    tweets.write_text("\n".join(line for line in corpus if json.loads(line)["domain"] == "tweets"), encoding="utf-8")

    sources: Parts = {
        "finance": files(data, "fiqa_posts", "fin_headlines"),
        "entities": files(data, "fin_entities"),
        "vader": {"path": str(tweets)},
        "emotion": files(data, "tweet_emotion"),
        "irony": files(data, "tweet_irony"),
        "reviews": files(data, "absa_laptop14", "absa_restaurant14"),
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
    return sources, tasks


def suite_tasks(data: Path, folder: Path) -> tuple[Parts, Parts]:
    """Return sources and tasks of the public sets."""
    kind = {"kind": "classification"}
    own: Parts = {
        "sst5": {"kind": "ordinal", "classes": ["very negative", "negative", "neutral", "positive", "very positive"]},
        "twitter": kind,
        "asc_lap14": {**kind, "pair": "aspect"},
        "asc_rest14": {**kind, "pair": "aspect"},
        "irony": kind,
        "stance": {**kind, "pair": "target"},
    }
    sources: Parts = {name: files(data / "suite", name) for name in own}
    return sources, {name: {"source": name, **task} for name, task in own.items()}


TASKS = {"six": six_tasks, "suite": suite_tasks}


def run_file(chosen: str, data: Path, folder: Path, rows: int, quick: bool) -> dict[str, Any]:
    """Return the run file of all tasks, or of a few."""
    sources, tasks = TASKS[chosen](data, folder)
    if quick:
        tasks = dict(list(tasks.items())[:QUICK])
    read = {task["source"] for task in tasks.values()}
    limit = {"train": rows, "dev": min(rows, 250), "test": 10}
    return {
        "model": "minilm",
        "max_length": 48,
        "sources": {name: {**source, "limit": limit} for name, source in sources.items() if name in read},
        "tasks": tasks,
        "train": {"batch_size": 8, "learning_rate": 5e-4, "freeze_layers": FROZEN},
        "evaluation": {"baselines": [], "bootstrap": 100},
        "output": str(folder / "run"),
    }


@contextmanager
def keeping_frozen_layers() -> Iterator[None]:
    """Keep what the frozen layers make of a row from training to training, and use it for dev, too.

    It is the same for all trainings. Each row goes through them once in all, so that the benchmark ends in reasonable
    time; times of single trainings are lower than those that a user sees.
    """
    kept: dict[bytes, Tensor] = {}
    start = FrozenLayers.__init__

    def share(self: FrozenLayers, model: MultiTaskModel, count: int, room: float) -> None:
        start(self, model, count, room)
        self._kept = kept

    @contextmanager
    def evaluate(model: MultiTaskModel) -> Iterator[None]:
        layers = FrozenLayers(model, FROZEN, 4.0)
        inside = isinstance(find_layers(model.backbone, FROZEN)[1][0].forward, partial)  # of a training
        with evaluating(model), nullcontext() if inside else layers.cached():
            yield

    places = ("equipoise.modeling.inference.evaluating", "equipoise.affinity.row_losses.evaluating")
    with patch.object(FrozenLayers, "__init__", share), patch(places[0], evaluate), patch(places[1], evaluate):
        yield


def run_seed(data: dict[str, Any], folder: Path, seed: int, passes: float) -> tuple[MixResults, MixResults]:
    """Return what a seed finds with the default budget, and with all pairs trained; the second continues the first."""
    found = []
    for name, budget in (("budget", BUDGET), ("all", 1.0)):
        own = {**data, "train": {**data["train"], "seed": seed}, "output": str(folder / f"seed-{seed}-{name}")}
        config = make_config(own)
        before = folder / f"seed-{seed}-budget"
        if not config.output.exists() and before.exists():
            shutil.copytree(before, config.output)
        found.append(mix(config, passes=passes, budget=budget).results)
    return found[0], found[1]


def rank_correlation(one: Floats, other: Floats) -> dict[str, float | int]:
    """Return Spearman's ρ over pairs, with the 95 % interval of a bootstrap over them."""
    draws = np.random.default_rng(0).integers(len(one), size=(2000, len(one)))
    drawn = [spearmanr(one[rows], other[rows]).statistic for rows in draws]
    low, high = np.nanquantile(drawn, (0.025, 0.975))
    return {"rho": float(spearmanr(one, other).statistic), "low": float(low), "high": float(high), "pairs": len(one)}


def within_targets(targets: Sequence[str], one: Floats, other: Floats) -> float:
    """Return the mean over targets of Spearman's ρ over their candidates.

    Args:
        targets: the target of each pair.
        one, other: what is compared, by pair.
    """
    names = np.asarray(targets)
    chosen = [names == target for target in dict.fromkeys(targets)]
    return float(np.mean([spearmanr(one[rows], other[rows]).statistic for rows in chosen]))


def compare(targets: Sequence[str], estimated: Floats, trained: Floats) -> dict[str, Any]:
    return {**rank_correlation(estimated, trained), "within_targets": within_targets(targets, estimated, trained)}


def summarize(seeds: Sequence[tuple[MixResults, MixResults]]) -> dict[str, Any]:
    """Print the table, and return the figures."""
    pairs = sorted({(pair.target, pair.helper) for pair in seeds[0][1].pairs})
    by_seed = [{(pair.target, pair.helper): pair for pair in whole.pairs} for _, whole in seeds]
    estimated = np.array([[found[pair].estimate.value for pair in pairs] for found in by_seed])
    trained = np.array([[_trained(found[pair]).gain.value for pair in pairs] for found in by_seed])
    order = sorted(range(len(pairs)), key=lambda place: (pairs[place][0], -trained[:, place].mean()))
    print(f"{'target':<12}{'helper':<12}{'estimated %':>13}{'trained %':>11}  by seed")
    for place in order:
        of_seeds = ", ".join(f"{value:.1f}" for value in trained[:, place])
        means = f"{estimated[:, place].mean():>13.1f}{trained[:, place].mean():>11.1f}"
        print(f"{pairs[place][0]:<12}{pairs[place][1]:<12}{means}  {of_seeds}")
    targets = [target for target, _ in pairs]
    between = [spearmanr(one, other).statistic for one, other in combinations(trained, 2)]
    return {
        "means": compare(targets, estimated.mean(0), trained.mean(0)),
        "seeds": [compare(targets, one, other) for one, other in zip(estimated, trained, strict=True)],
        "between_seeds": float(np.mean(between)) if between else None,
        "budget": [describe(small) for small, _ in seeds],
        "seconds": sum(whole.cost.estimate_seconds + whole.cost.trained_seconds for _, whole in seeds),
        "score": {
            helper: {"estimated": estimated[:, place].mean(), "trained": trained[:, place].tolist()}
            for place, (target, helper) in enumerate(pairs)
            if target == SCORE
        },
    }


def describe(results: MixResults) -> dict[str, Any]:
    """Return what a run with the default budget did."""
    cost = results.cost
    return {
        "share": cost.share,
        "seconds": cost.estimate_seconds + cost.trained_seconds,
        "trained": [f"{pair.target}+{pair.helper}: {pair.verdict}" for pair in results.pairs if pair.trained],
    }


def _trained(pair: MixPair) -> TrainedPair:
    assert pair.trained is not None
    return pair.trained


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--tasks", choices=TASKS, default="six")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--rows", type=int, default=400)
    parser.add_argument("--passes", type=float, default=1.0)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args(argv)
    if arguments.quick:
        arguments.seeds, arguments.rows, arguments.passes = 1, 64, 1.0
    with tempfile.TemporaryDirectory() as temporary, keeping_frozen_layers():
        folder = (arguments.output or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        data = run_file(arguments.tasks, arguments.data.resolve(), folder, arguments.rows, arguments.quick)
        found = [run_seed(data, folder, seed, arguments.passes) for seed in range(arguments.seeds)]
        print(json.dumps(summarize(found) | setting()))


if __name__ == "__main__":
    main()
