"""One model for the 20 public sets of the suite, beside single-task models and public figures.

The run file trains one model for all sets (three groups: SC, ABSA, MAST). Each set is scored on its published test file
by its official metric. Rows: joint with the dynamic adaptive loss (`dao`), joint with equal weights, one model per set
(`single-task`, same backbone and passes, one seed unless `--single-seeds` says more), and the majority answer. A
training is a run in `--output`; a finished one is not repeated, and a stopped one continues, so the command can be
called again until the table is full.

    python benchmarks/suite.py [--quick] [--rows 1000] [--seeds 3] [--single-seeds 1] [--model minilm]
                               [--output runs/suite] [--set train.epochs=4] [--only dao,equal,single-task]
                               [--groups SC,ABSA,MAST]

EQUIPOISE_DATA names the folder that holds suite/. `--rows 0` takes all training rows. `--groups MAST` trains one model
for the sets of that group alone. `--model mpnet-base --rows 0 --seeds 1 --set train.precision=bf16` is the table of a
base-size model for one GPU. `--quick` trains one step of each
kind of cell on a few rows, and shows only that all of it runs.

Public figures: ChatGPT (2023, zero-shot) and T5-large (770M, one model per set, all training data) as arXiv 2305.15005
reports them are from memory and not verified; RoBERTa (Twitter) is scored from the predictions that
cardiffnlp/tweeteval ships.
"""

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy import stats

from equipoise.config import RunConfig, load_config
from equipoise.errors import EquipoiseError, UsageError
from equipoise.kinds import make_metric
from equipoise.modeling import load
from equipoise.training import Run, train
from measuring import setting

RUN_FILE = Path(__file__).parents[1] / "examples" / "suite" / "suite.yaml"
GROUPS = {"SC": "SC", "uabsa": "UABSA+ASTE", "aste": "UABSA+ASTE", "asqp": "ASQP", "MAST": "MAST"}
"""The groups whose means are shown, by the run file's group or, within ABSA, by how the set's name begins."""
_SETS = """imdb sst2 sst5 twitter yelp5 asc_lap14 asc_rest14 uabsa_rest14 uabsa_rest15 uabsa_laptop14 aste_laptop14
aste_rest14 aste_rest16 asqp_rest15 asqp_rest16 implicit irony offensive stance emotion"""


def _figures(numbers: str) -> dict[str, float]:
    return dict(zip(_SETS.split(), map(float, numbers.split()), strict=True))


PUBLIC = {
    "ChatGPT (memory)": _figures(
        "94.20 93.60 48.00 69.40 52.40 76.80 82.80 54.46 40.03 33.14 27.30 40.04 42.18 10.46 14.02 54.98 68.66 64.88 "
        "50.25 72.80"
    ),
    "T5-large (memory)": _figures(
        "93.93 93.20 56.80 67.73 65.60 78.60 83.67 75.31 65.46 62.35 53.69 65.20 65.94 41.08 50.58 67.12 79.44 80.76 "
        "67.33 80.35"
    ),
    "RoBERTa (verified)": {"emotion": 81.37, "irony": 63.59, "offensive": 85.67, "twitter": 73.60, "stance": 70.08},
}
WAYS = ("majority", "single-task", "equal", "dao")

Scores = dict[str, dict[str, list[float]]]
"""By way and task the official metric on test, one number for each seed."""


def group_of(task: str, group: str | None) -> str:
    """Return the group that a set is averaged in."""
    return GROUPS.get(task.split("_")[0], GROUPS.get(group or "", group or "all"))


def load_groups(groups: Sequence[str], settings: Sequence[str]) -> RunConfig:
    """Read the run file, and leave out the sets of other groups; none given stands for all."""
    config = load_config(RUN_FILE, settings)
    if not groups:
        return config
    tasks = {name: task for name, task in config.tasks.items() if task.group in groups}
    if not tasks:
        known = ", ".join(dict.fromkeys(str(task.group) for task in config.tasks.values()))
        raise UsageError(f"--groups: found {', '.join(groups)}, expected some of {known}.")
    sources = {name: source for name, source in config.sources.items() if name in tasks}
    return config.model_copy(update={"tasks": tasks, "sources": sources})


def train_cells(arguments: argparse.Namespace) -> tuple[RunConfig, Scores]:
    """Train what is missing, and return the scores. Single tasks stand in the folder of a joint run with `dao`."""
    config = load_groups(arguments.groups, arguments.set)
    settings = [*arguments.set, f"model={arguments.model}"]
    settings += [f"sources.{name}.limit.train={arguments.rows or 10**9}" for name in config.sources]
    if arguments.quick:
        settings += ["train.max_steps=1", "train.evaluations=1", "evaluation.bootstrap=100"]
        settings += [f"sources.{name}.limit.{split}=20" for name in config.sources for split in ("dev", "test")]
    scores: Scores = {way: {} for way in WAYS}
    for seed in range(arguments.seeds):
        for balance in (way for way in ("dao", "equal") if way in arguments.only):
            own = [f"balance={balance}", f"train.seed={seed}", f"output={arguments.output}/{balance}-{seed}"]
            alone = seed < arguments.single_seeds and balance == "dao"
            run = train(
                load_groups(arguments.groups, [*settings, *own]),
                resume=True,
                single_task=alone and "single-task" in arguments.only,
            )
            values = official_scores(run, load_config(run.folder / "config.yaml"))
            for way, model in ((balance, "run"), *((("majority",) * 2, ("single-task",) * 2) if alone else ())):
                for task, value in values.get(model, {}).items():
                    scores[way].setdefault(task, []).append(value)
    return config, scores


def official_scores(run: Run, config: RunConfig) -> dict[str, dict[str, float]]:
    """Return by model and task the primary metric on test, in percent."""
    tasks = config.open_tasks()
    found: dict[str, dict[str, float]] = {}
    for record in run.records:
        is_primary = record["metric"] == tasks[record["task"]].metric
        if is_primary and record["split"] == "test" and record["subset"] == "all":
            found.setdefault(record["model"], {})[record["task"]] = 100 * record["value"]
    return found


def describe(values: Sequence[float]) -> str:
    """Write a mean and the half width of its 95 % t-interval over seeds."""
    if not values:
        return "–"
    mean = f"{np.mean(values):.1f}"
    return mean if len(values) < 2 else f"{mean} ±{half_width(values):.1f}"


def half_width(values: Sequence[float]) -> float:
    """Return half of the 95 % t-interval of a mean."""
    return float(stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5)


def group_means(scores: Mapping[str, Sequence[float]], groups: Mapping[str, str]) -> dict[str, list[float]]:
    """Return for each group the mean over its sets, one number for each seed; nothing where a set is missing."""
    found = {}
    for group in dict.fromkeys(groups.values()):
        sets = [list(scores.get(task, [])) for task, of in groups.items() if of == group]
        if all(sets) and len({len(values) for values in sets}) == 1:
            found[group] = [float(mean) for mean in np.mean(sets, axis=0)]
    return found


def read_arrays(folder: Path, task: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the labels of a set's test rows, and what the metrics read of a run's predictions for them."""
    with np.load(folder / "predictions.npz", allow_pickle=False) as arrays:
        decided = f"test/{task}/decided"
        return arrays[f"test/{task}/gold"], arrays[decided if decided in arrays else f"test/{task}"]


def resample(runs: Sequence[Path], alone: Sequence[Path], draws: int = 1000) -> dict[str, np.ndarray]:
    """Return by set the official metric of joint runs, their mean, less that of single-task models, in resamples.

    Rows are drawn with replacement, the same for both; the first entry is of the rows as they are.

    Args:
        runs: the folders of the joint runs.
        alone: the folders of the single-task runs, one for each seed that has them.
        draws: how many resamples.
    """
    found = {}
    generator = np.random.default_rng(0)
    for task in load(runs[0]).tasks.values():
        folders = [*runs, *(seed / task.name for seed in alone)]
        gold, _ = read_arrays(folders[0], task.name)
        counts = np.stack([np.bincount(rows, minlength=len(gold)) for rows in draw_rows(generator, draws, len(gold))])
        metric = make_metric(task, task.metric)
        values = []
        for folder in folders:
            same, predictions = read_arrays(folder, task.name)
            assert np.array_equal(same, gold), f"{folder}: other rows of {task.name}"
            values.append(100 * metric.prepare(gold, predictions)(counts.astype(np.float64)))
        found[task.name] = np.mean(values[: len(runs)], axis=0) - np.mean(values[len(runs) :], axis=0)
    return found


def draw_rows(generator: np.random.Generator, draws: int, n: int) -> list[np.ndarray]:
    """Return the rows as they are, and resamples of them."""
    return [np.arange(n), *generator.integers(n, size=(draws, n))]


def show_differences(output: Path, balance: str, seeds: int, groups: Mapping[str, str]) -> dict[str, list[float]]:
    """Print by group how much better joint models are than single-task ones; return mean, low and high."""
    alone = [folder for seed in range(seeds) if (folder := output / f"dao-{seed}" / "single-task").is_dir()]
    if not alone:
        return {}
    differences = resample([output / f"{balance}-{seed}" for seed in range(seeds)], alone)
    found = {}
    print(f"\n{balance} less single-task, 95 % bootstrap interval over test rows")
    for group in [*dict.fromkeys(groups.values()), *groups]:
        sets = [differences[task] for task, of in groups.items() if group in (task, of)]
        mean = np.mean(sets, axis=0)
        low, high = np.quantile(mean[1:], (0.025, 0.975))
        found[group] = [float(mean[0]), float(low), float(high)]
        print(f"{group:16}{mean[0]:+6.1f} [{low:+.1f}, {high:+.1f}]")
    return found


def show(config: RunConfig, scores: Scores) -> dict[str, dict[str, list[float]]]:
    """Print the table, and return the groups' means."""
    groups = {name: group_of(name, task.group) for name, task in config.tasks.items()}
    public = {name: {task: [value] for task, value in figures.items()} for name, figures in PUBLIC.items()}
    columns = {**scores, **public}
    means = {name: group_means(values, groups) for name, values in columns.items()}
    print(f"{'set':16}{'metric':26}" + "".join(f"{name:>20}" for name in columns))
    for task in config.tasks:
        cells = (describe(values.get(task, [])) for values in columns.values())
        print(f"{task:16}{config.open_tasks()[task].metric:26}" + "".join(f"{cell:>20}" for cell in cells))
    for group in dict.fromkeys(groups.values()):
        cells = (describe(of_column.get(group, [])) for of_column in means.values())
        print(f"{group:16}{'mean':26}" + "".join(f"{cell:>20}" for cell in cells))
    return means


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rows", type=int, default=1000, help="training rows of each set; 0 takes all")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--single-seeds", type=int, default=1, help="of the single-task models")
    parser.add_argument("--groups", default=[], type=lambda text: text.split(","), help="of the run file; default: all")
    parser.add_argument("--model", default="minilm")
    parser.add_argument("--output", default="runs/suite")
    parser.add_argument("--only", default=["dao", "equal", "single-task"], type=lambda text: text.split(","))
    parser.add_argument("--set", action="append", default=[], help="a setting that wins over the run file")
    arguments = parser.parse_args()
    arguments.output = os.path.abspath(arguments.output)
    if arguments.quick:
        arguments.rows, arguments.seeds, arguments.output = 20, 1, f"{arguments.output}-quick"
        arguments.only = ["dao", "equal"]
    return arguments


def main() -> int:
    arguments = parse()
    try:
        config, scores = train_cells(arguments)
    except EquipoiseError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    means = show(config, scores)
    groups = {name: group_of(name, task.group) for name, task in config.tasks.items()}
    joint = [way for way in ("dao", "equal") if scores[way]]
    less = {way: show_differences(Path(arguments.output), way, arguments.seeds, groups) for way in joint}
    kept = {"rows": arguments.rows, "seeds": arguments.seeds, "means": means, "less_single_task": less}
    print(json.dumps({"benchmark": "suite", **setting(), **kept}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
