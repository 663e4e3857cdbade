"""Draw the picture of each kind's page from a run: `python scripts/draw_kinds.py RUN... [--output docs]`.

A run with one task gives `docs/KIND.svg`, from what is in its folder: predictions and labels (`predictions.npz`),
scores (`metrics.json`, `log.jsonl`), thresholds (`model/equipoise.json`). The run files stand on the pages. The grey of
the text can be read on white and on black; nothing is painted behind it. The colors are those of Okabe and Ito (2008).
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import yaml
from matplotlib.axes import Axes
from matplotlib.figure import Figure

GREY = "#808080"
BLUE, ORANGE, GREEN, SKY = "#0072b2", "#d55e00", "#009e73", "#56b4e9"
STYLE = {
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), GREY),
    "font.size": 11,
    "svg.fonttype": "none",
}


class Run:
    """What a finished run of one task says.

    Args:
        folder: the run's folder.
    """

    def __init__(self, folder: Path) -> None:
        tasks = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))["tasks"]
        ((self.task, self.settings),) = tasks.items()
        self.kind = self.settings["kind"]
        self.arrays = dict(np.load(folder / "predictions.npz")) if (folder / "predictions.npz").exists() else {}
        self.records = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        self.log = [json.loads(line) for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]
        model = json.loads((folder / "model" / "equipoise.json").read_text(encoding="utf-8"))
        self.saved = model["tasks"][self.task]

    def read(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        """Return predictions and labels of a split."""
        return self.arrays[f"{split}/{self.task}"], self.arrays[f"{split}/{self.task}/gold"]

    def score(self, metric: str, model: str) -> dict[str, Any]:
        """Return the record of a metric on all of test."""
        wanted = {"split": "test", "subset": "all", "model": model, "metric": metric}
        return next(record for record in self.records if wanted.items() <= record.items())


def draw_classification(run: Run, axes: Axes) -> None:
    """How often each class is predicted for texts of each class."""
    predictions, gold = run.read("test")
    classes = run.saved["classes"]
    counts = np.zeros((len(classes), len(classes)), dtype=int)
    np.add.at(counts, (gold, predictions.argmax(1)), 1)
    shares = counts / counts.sum(1, keepdims=True)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), count in np.ndenumerate(counts):
        dark = shares[row, column] > 0.5
        axes.text(column, row, str(count), ha="center", va="center", color="white" if dark else "black")
    axes.set_xticks(range(len(classes)), classes)
    axes.set_yticks(range(len(classes)), classes)
    axes.set_xlabel("predicted")
    axes.set_ylabel("label")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)


def draw_ordinal(run: Run, axes: Axes) -> None:
    """How many ranks lie between label and answer, of the run and of the median class."""
    predictions, gold = run.read("test")
    median = int(np.median(run.read("dev")[1]))
    answers = {"this run": _median_class(predictions), "always the median class": np.full_like(gold, median)}
    ranks = np.arange(len(run.saved["classes"]))
    for place, ((name, answer), color) in enumerate(zip(answers.items(), (BLUE, ORANGE), strict=True)):
        shares = [(abs(answer - gold) == rank).mean() for rank in ranks]
        axes.bar(ranks + 0.4 * place - 0.2, shares, 0.36, color=color, label=name)
    axes.set_xticks(ranks, ["right", *(f"{rank} off" for rank in ranks[1:])])
    _finish(axes, "ranks between label and answer", "share of test rows")


def draw_regression(run: Run, axes: Axes) -> None:
    """Predicted scores over those of the labels, with the interval that holds nine labels of ten."""
    predictions, gold = run.read("test")
    low, high = run.settings["range"]
    half = run.score("interval_width_90", "run")["value"] / 2
    line = np.array([low, high])
    axes.fill_between(line, line - half, line + half, color=ORANGE, alpha=0.18, linewidth=0)
    axes.plot(line, line, color=ORANGE, linewidth=1.5)
    axes.plot(gold, predictions, ".", color=SKY, alpha=0.9, markersize=6, markeredgewidth=0, rasterized=True)
    axes.set_xlim(low, high)
    axes.set_ylim(low, high)
    _finish(axes, "label", "predicted")


def draw_multilabel(run: Run, axes: Axes) -> None:
    """F1 of each label on dev over the probability from which it applies, with the one that is chosen."""
    predictions, gold = run.read("dev")
    cuts = np.linspace(0.02, 0.98, 97)
    for place, color in enumerate((BLUE, ORANGE, GREEN)):
        label, chosen = run.saved["classes"][place], run.saved["thresholds"][place]
        scores = [_f1(predictions[:, place] >= cut, gold[:, place] > 0) for cut in cuts]
        axes.plot(cuts, scores, color=color, linewidth=1.8, label=label)
        best = _f1(predictions[:, place] >= chosen, gold[:, place] > 0)
        axes.plot(chosen, best, "o", color=color, markersize=8)
    axes.set_ylim(0, 1)
    axes.set_xlim(0, 1)
    _finish(axes, "the label applies from this probability", "F1 on dev")


def draw_generation(run: Run, axes: Axes) -> None:
    """ROUGE-L on dev over the steps of training."""
    lines = [line for line in run.log if "dev" in line]
    values = [line["dev"][f"{run.task}/rouge_l"] for line in lines]
    axes.plot([line["step"] for line in lines], values, "o-", color=SKY, linewidth=1.8, markersize=6)
    axes.set_ylim(0, 1)
    axes.set_xlim(left=0)
    _finish(axes, "step of training", "ROUGE-L on dev")


DRAW: dict[str, Callable[[Run, Axes], None]] = {
    "classification": draw_classification,
    "ordinal": draw_ordinal,
    "regression": draw_regression,
    "multilabel": draw_multilabel,
    "generation": draw_generation,
}


def _median_class(probabilities: np.ndarray) -> np.ndarray:
    """Return the lowest class above which at most half of the probability lies, which is what `predict` answers."""
    return (probabilities.cumsum(1) >= 0.5).argmax(1)


def _f1(found: np.ndarray, gold: np.ndarray) -> float:
    return float(2 * (found & gold).sum() / max(1, found.sum() + gold.sum()))


def _finish(axes: Axes, below: str, beside: str) -> None:
    axes.set_xlabel(below)
    axes.set_ylabel(beside)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color=GREY, alpha=0.25)
    axes.set_axisbelow(True)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False)


def draw(folder: Path, output: Path) -> Path:
    """Draw the picture of a run's kind.

    Args:
        folder: the folder of a run with one task.
        output: the folder for the picture.

    Returns:
        The file that is written.
    """
    run = Run(folder)
    file = output / f"{run.kind}.svg"
    with mpl.rc_context({**STYLE, "svg.hashsalt": run.kind}):
        figure = Figure(figsize=(5.2, 3.1), layout="constrained")
        DRAW[run.kind](run, figure.subplots())
        figure.savefig(file, transparent=True, dpi=150, metadata={"Date": None})
    return file


def main() -> None:
    """Read the command line and draw."""
    parser = argparse.ArgumentParser(description="Draw the picture of each kind's page.")
    parser.add_argument("runs", nargs="+", type=Path, help="folders of runs with one task")
    parser.add_argument("--output", type=Path, default=Path("docs"), help="folder for the pictures")
    options = parser.parse_args()
    for folder in options.runs:
        print(draw(folder, options.output))


if __name__ == "__main__":
    main()
