"""Which tasks to train together: do the estimates of `equipoise mix` agree with trained pairs, and what do they cost?

    python benchmarks/mix.py DATA [--tasks auxiliary|mutual] [--quick] [--seeds 2] [--precision fp32]
                                  [--output runs/mix_benchmark] [--picture FILE.svg]

`auxiliary`: six targets of 200 training rows (a score of financial headlines and posts, the stars of film reviews, the
polarity of tweets, that of aspects of laptops, irony, the stance towards a target), and six auxiliary tasks of 800 rows
(the polarity of financial headlines towards an entity, the intensity of tweets, the stars of reviews of places, the
emotion and the offence of tweets, aspects of restaurants): 36 pairs. `mutual`: six tasks of 200 rows, each a target and
a helper of the others: 30 pairs. DATA is the folder of the data sets (docs/data.md).

Each seed draws its own training rows. It is one `equipoise mix` with the default budget, which is what a user runs, and
then with a budget for everything: every target alone, and with every helper. The table shows by pair the estimated and
the trained gain, means over seeds: by how many percent of itself the target's loss on dev is lower with the helper.
What is finished is not repeated. Test is not read.

The last line holds Spearman's ρ of estimated and trained gains over the pairs, with the 95 % interval of a bootstrap
over pairs, and the mean of ρ within targets; the same for each seed by itself; ρ of the trained gains of two seeds,
which says how much of them is chance; and what the default budget trained, chose and cost. `--quick` has few tasks and
rows and one pass, and shows only that it runs.
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
ROWS = {"auxiliary": (200, 800), "mutual": (200, 200)}
"""Training rows of targets and of auxiliary tasks."""
DEV_ROWS = 500
QUICK_ROWS = 64
PASSES = 3.0
"""How often a training reads each of the target's rows: as `equipoise mix` does by itself."""

Parts = dict[str, dict[str, Any]]
CLASSES = {"kind": "classification"}
STARS = {
    "kind": "ordinal",
    "classes": ["very negative", "negative", "neutral", "positive", "very positive"],
}


def files(*folders: Path) -> dict[str, Any]:
    return {split: [str(folder / f"{split}.jsonl") for folder in folders] for split in ("train", "dev", "test")}


def finance(data: Path, folder: Path) -> tuple[Parts, Parts]:
    """Return sources and tasks about finance, and the intensity of tweets."""
    tweets = folder / "vader_tweets.jsonl"
    corpus = (fetch("vader") / "corpus.jsonl").read_text(encoding="utf-8").splitlines()
    tweets.write_text("\n".join(line for line in corpus if json.loads(line)["domain"] == "tweets"), encoding="utf-8")
    sources: Parts = {
        "score": files(data / "fiqa_posts", data / "fin_headlines"),
        "entities": files(data / "fin_entities"),
        "intensity": {"path": str(tweets)},
    }
    tasks: Parts = {
        "score": {"kind": "regression", "pair": "target", "label": "score", "range": [-1, 1]},
        "entities": {**CLASSES, "pair": "target"},
        "intensity": {"kind": "regression", "label": "score", "range": [-4, 4]},
    }
    return sources, tasks


def auxiliary(data: Path, folder: Path) -> tuple[Parts, Parts]:
    """Return sources and tasks of few-row targets and larger auxiliary tasks."""
    sources, found = finance(data, folder)
    suite: Parts = {
        "sst5": STARS,
        "twitter": CLASSES,
        "asc_lap14": {**CLASSES, "pair": "aspect"},
        "irony": CLASSES,
        "stance": {**CLASSES, "pair": "target"},
        "yelp5": STARS,
        "emotion": CLASSES,
        "offensive": CLASSES,
        "asc_rest14": {**CLASSES, "pair": "aspect"},
    }
    sources |= {name: files(data / "suite" / name) for name in suite}
    found |= suite
    targets = ("score", "sst5", "twitter", "asc_lap14", "irony", "stance")
    helpers = ("entities", "intensity", "yelp5", "emotion", "offensive", "asc_rest14")
    tasks = {name: found[name] for name in targets} | {name: {**found[name], "auxiliary": True} for name in helpers}
    return sources, tasks


def mutual(data: Path, folder: Path) -> tuple[Parts, Parts]:
    """Return sources and tasks of finance, tweets and reviews, each a target."""
    sources, tasks = finance(data, folder)
    sources |= {
        "emotion": files(data / "tweet_emotion"),
        "irony": files(data / "tweet_irony"),
        "aspects": files(data / "absa_laptop14", data / "absa_restaurant14"),
    }
    tasks |= {"emotion": CLASSES, "irony": CLASSES, "aspects": {**CLASSES, "pair": "aspect"}}
    return sources, tasks


TASKS = {"auxiliary": auxiliary, "mutual": mutual}


def run_file(chosen: str, data: Path, folder: Path, *, precision: str, quick: bool) -> dict[str, Any]:
    """Return the run file of all tasks, or of a few."""
    sources, tasks = TASKS[chosen](data, folder)
    if quick:
        few = (*list(tasks)[:2], *list(tasks)[-2:])
        tasks = {name: tasks[name] for name in few}
    few_rows, many_rows = (QUICK_ROWS, QUICK_ROWS) if quick else ROWS[chosen]
    limits = {
        name: {
            "train": many_rows if "auxiliary" in task else few_rows,
            "dev": QUICK_ROWS if quick else DEV_ROWS,
            "test": 10,
        }
        for name, task in tasks.items()
    }
    return {
        "model": "minilm",
        "max_length": 48,
        "sources": {name: {**sources[name], "limit": limits[name]} for name in tasks},
        "tasks": {name: {"source": name, **task} for name, task in tasks.items()},
        "train": {"batch_size": 8, "learning_rate": 5e-4, "freeze_layers": FROZEN, "precision": precision},
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
    candidates = "auxiliary" if any("auxiliary" in task for task in data["tasks"].values()) else "all"
    for name, budget in (("budget", BUDGET), ("all", 1.0)):
        own = {**data, "train": {**data["train"], "seed": seed}, "output": str(folder / f"seed-{seed}-{name}")}
        config = make_config(own)
        before = folder / f"seed-{seed}-budget"
        if not config.output.exists() and before.exists():
            shutil.copytree(before, config.output)
        found.append(mix(config, candidates=candidates, passes=passes, budget=budget).results)
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


def draw(seeds: Sequence[tuple[MixResults, MixResults]], file: Path) -> None:
    """Draw trained over estimated gains, means over seeds.

    The colors are those of Okabe and Ito (2008), told apart by color-blind readers; marks differ too. Nothing is
    painted behind them, and the grey of the text can be read on white and on black.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    grey, marks = "#808080", "os^DvP"
    colors = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
    named = dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), grey)
    with mpl.rc_context(named | {"svg.hashsalt": "mix", "svg.fonttype": "none", "font.size": 11}):
        figure = Figure(figsize=(7.2, 4.2))
        axes = figure.subplots()
        axes.axhline(0, color=grey, linewidth=0.8)
        for target, color, mark in zip(seeds[0][1].targets, colors, marks, strict=False):
            pairs = [whole.of(target) for _, whole in seeds]
            found = {pair.helper: [] for pair in pairs[0]}
            for pair in (pair for of_seed in pairs for pair in of_seed):
                found[pair.helper].append((pair.estimate.value, _trained(pair).gain.value))
            points = np.array([np.mean(values, axis=0) for values in found.values()])
            axes.plot(*points.T, mark, color=color, markersize=7, label=target)
        axes.set_xlabel("estimated gain, %")
        axes.set_ylabel("gain when trained, %")
        axes.spines[["top", "right", "bottom"]].set_visible(False)
        axes.legend(frameon=False, fontsize=10, loc="center left", bbox_to_anchor=(1, 0.5))
        figure.savefig(file, bbox_inches="tight", transparent=True, metadata={"Date": None})


def describe(results: MixResults) -> dict[str, Any]:
    """Return what a run with the default budget did."""
    cost = results.cost
    return {
        "share": cost.share,
        "estimates_share": cost.estimates_share,
        "seconds": cost.estimate_seconds + cost.trained_seconds,
        "trained": [f"{pair.target}+{pair.helper}: {pair.verdict}" for pair in results.pairs if pair.trained],
    }


def _trained(pair: MixPair) -> TrainedPair:
    assert pair.trained is not None
    return pair.trained


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--tasks", choices=TASKS, default="auxiliary")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--picture", type=Path, help="SVG file to draw to")
    arguments = parser.parse_args(argv)
    seeds, passes = (1, 1.0) if arguments.quick else (arguments.seeds, PASSES)
    with tempfile.TemporaryDirectory() as temporary, keeping_frozen_layers():
        folder = (arguments.output or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        place = arguments.data.resolve()
        data = run_file(arguments.tasks, place, folder, precision=arguments.precision, quick=arguments.quick)
        found = [run_seed(data, folder, seed, passes) for seed in range(seeds)]
        figures = summarize(found)
        if arguments.picture is not None:
            draw(found, arguments.picture)
        print(json.dumps(figures | setting()))


if __name__ == "__main__":
    main()
