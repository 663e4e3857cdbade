"""Texts a second and memory: one model for six tasks against six models behind six pipelines.

All ways answer the same real texts (the starter corpus `vader`) for all tasks, from text to probabilities, with the
same backbone, greatest length (128 tokens), batch size (32) and precision (float32). The fifth task extracts terms with
their polarity, the sixth is ordinal with five classes, the others are classifications with three:

- one model: `MultiTaskModel` with a module a task, run by `Predictor`;
- pipelines: a single-task `AutoModelForSequenceClassification` per task in a text-classification pipeline of
  `transformers` (for extraction `AutoModelForTokenClassification` in a token-classification pipeline), which gets the
  list of all texts and `batch_size`, as its documentation has it;
- pipelines, sorted: the same, by a user who sorts the texts by length first, and brings the answers back into order;
- single models: a `MultiTaskModel` a task, run by `Predictor`. It has no overhead that the first way does not have, so
  it shows what sharing alone is worth.

    python benchmarks/one_pass.py [--quick] [--tasks 6] [--texts 512] [--turns 8] [--picture FILE.svg]

A turn is one pass of each way, in random order. `ratio` is how many times as many texts a second the one model answers:
the median over turns, with a 95 % bootstrap interval over turns, of which there must be six. `MiB` is the peak memory
of a process that loads one way only and makes a pass (on a GPU: what PyTorch has allocated). `missed` in the JSON names
the ways whose interval lies below the goal, and those that need no more memory than the one model. With `--picture` it
measures 1 to 8 tasks, unless told which, and draws texts a second and memory over them.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification, AutoTokenizer, pipeline

from equipoise.kinds import Classification, Extraction, Ordinal, Task
from equipoise.modeling import MultiTaskModel, Predictor, load_backbone, quiet_transformers
from equipoise.starter import STARTERS, fetch
from measuring import FEW, interval, number, peak_memory, rounded, run_apart, setting, synchronize, take_turns

CLASSES = ("negative", "neutral", "positive")
STARS = ("1", "2", "3", "4", "5")
EXTRACTION, ORDINAL = 4, 5
"""The numbers of the tasks that are no classifications."""
MAX_LENGTH, BATCH = 128, 32
ONE, PIPELINES, SORTED, SINGLE = "one model", "pipelines", "pipelines, sorted", "single models"
GOAL = {(PIPELINES, 6): 5.0, (SORTED, 6): 5.0}
"""How many times as many texts a second the one model answers, by way and number of tasks."""

Answer = Callable[[Sequence[str]], Any]
"""Answers all tasks for texts."""


def read_texts(count: int) -> list[str]:
    """Draw different texts of the starter corpus at random; always the same."""
    lines = (fetch("vader") / "corpus.jsonl").read_text(encoding="utf-8").splitlines()
    texts = list(dict.fromkeys(json.loads(line)["text"] for line in lines))
    return [texts[place] for place in np.random.default_rng(0).permutation(len(texts))[:count]]


def where() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def make_task(number: int) -> Task:
    """Return a task of the kind that its number has."""
    reads = f"task {number}", "texts", "text", None, "label"
    if number == EXTRACTION:
        return Extraction(*reads, "extraction_f1", CLASSES, whole_words=True)
    if number == ORDINAL:
        return Ordinal(*reads, "qwk", STARS)
    return Classification(*reads, "macro_f1", CLASSES)


def load_predictor(model: str, numbers: Sequence[int]) -> Predictor:
    """Put heads with random weights on a backbone."""
    wanted = {task.name: task for task in map(make_task, numbers)}
    built = MultiTaskModel(*load_backbone(model), wanted, MAX_LENGTH)
    if EXTRACTION in numbers:  # a new head finds no terms, where a pipeline's random classifier finds many
        built.head(make_task(EXTRACTION).name).layers[-1].reset_parameters()
    return Predictor(built.to(where()).eval())


def load_pipeline(model: str, number: int) -> Callable[..., Any]:
    """Put a random classifier on a backbone, and a pipeline around it."""
    folder = str(fetch(model)) if model in STARTERS else model
    tokenizer = AutoTokenizer.from_pretrained(folder, model_max_length=MAX_LENGTH, trust_remote_code=False)
    shared = {"tokenizer": tokenizer, "device": where(), "batch_size": BATCH}
    options: dict[str, Any] = {"dtype": torch.float32, "trust_remote_code": False}
    if number == EXTRACTION:
        tagger = AutoModelForTokenClassification.from_pretrained(folder, num_labels=1 + 2 * len(CLASSES), **options)
        return pipeline("token-classification", tagger, aggregation_strategy="simple", **shared)
    labels = len(make_task(number).class_names)
    classifier = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=labels, **options)
    return pipeline("text-classification", classifier, top_k=None, truncation=True, **shared)


def make_one_model(model: str, count: int) -> Answer:
    predictor = load_predictor(model, range(count))
    return lambda texts: predictor.predict(texts, batch_size=BATCH)


def make_single_models(model: str, count: int) -> Answer:
    predictors = [load_predictor(model, [number]) for number in range(count)]
    return lambda texts: [predictor.predict(texts, batch_size=BATCH) for predictor in predictors]


def make_pipelines(model: str, count: int, *, by_length: bool = False) -> Answer:
    pipelines = [load_pipeline(model, number) for number in range(count)]

    def answer(texts: Sequence[str]) -> list[list[Any]]:
        if not by_length:
            return [pipe(list(texts)) for pipe in pipelines]
        order = sorted(range(len(texts)), key=lambda place: -len(texts[place]))
        answers: list[list[Any]] = [[None] * len(texts) for _ in pipelines]
        for own, pipe in zip(answers, pipelines, strict=True):
            for place, found in zip(order, pipe([texts[place] for place in order]), strict=True):
                own[place] = found
        return answers

    return answer


WAYS: dict[str, Callable[[str, int], Answer]] = {
    ONE: make_one_model,
    PIPELINES: make_pipelines,
    SORTED: partial(make_pipelines, by_length=True),
    SINGLE: make_single_models,
}


def make(way: str, model: str, count: int) -> Answer:
    """Load what a way needs."""
    torch.manual_seed(0)
    with quiet_transformers():
        return WAYS[way](model, count)


def take(answer: Answer, texts: Sequence[str], turn: int) -> float:
    """Return the seconds of a pass."""
    synchronize()
    start = time.perf_counter()
    answer(texts)
    synchronize()
    return time.perf_counter() - start


def report(model: str, count: int, texts: Sequence[str], turns: int) -> dict[str, dict[str, Any]]:
    """Measure one number of tasks, print the table, and return it."""
    ways = {way: make(way, model, count) for way in WAYS}
    for answer in ways.values():
        answer(texts[:2])
    seconds = take_turns({way: partial(take, answer, texts) for way, answer in ways.items()}, turns)
    ways.clear()
    apart = ["--model", model, "--tasks", str(count), "--memory-of"]
    memory = {way: run_apart(__file__, [*apart, way], texts) for way in WAYS}
    print(f"\n{Path(model).name}, {count} tasks, {len(texts)} texts, {turns} turns\n")
    print(f"{'':20}{'texts/s':>9}{'ratio':>8}   {'95 % interval':16}{'goal':>6}{'MiB':>7}")
    rows: dict[str, dict[str, Any]] = {}
    for way, taken in seconds.items():
        ratios = np.array(taken) / np.array(seconds[ONE])
        low, high = interval(ratios) if turns >= FEW and way != ONE else (None, None)
        rows[way] = {
            "texts_s": float(len(texts) / np.median(taken)),
            "ratio": float(np.median(ratios)),
            "low": low,
            "high": high,
            "goal": GOAL.get((way, count)),
            "mib": memory[way],
        }
        row = {key: "–" if value is None else f"{value:.2f}" for key, value in rows[way].items()}
        bounds = "–" if low is None else f"{row['low']} to {row['high']}"
        mib = "–" if memory[way] is None else f"{memory[way]:.0f}"
        print(f"{way:20}{rows[way]['texts_s']:9.1f}{row['ratio']:>8}   {bounds:16}{row['goal']:>6}{mib:>7}", flush=True)
    return {way: rounded(row) for way, row in rows.items()}


def is_missed(row: dict[str, Any], one: dict[str, Any]) -> bool:
    """Whether a way with a goal is too fast for it, beyond the noise, or needs no more memory than the one model."""
    if row["goal"] is None:
        return False
    return (row["high"] or row["ratio"]) < row["goal"] or (one["mib"] is not None and row["mib"] <= one["mib"])


def draw(results: dict[str, dict[str, dict[str, Any]]], file: Path) -> None:
    """Draw texts a second and memory over the number of tasks.

    The colours are those of Okabe and Ito (2008), told apart by colour-blind readers; marks differ too. Nothing is
    painted behind them, and the grey of the text can be read on white and on black.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    grey = "#808080"
    styles = {ONE: ("#0072b2", "o"), PIPELINES: ("#d55e00", "s"), SORTED: ("#e69f00", "D"), SINGLE: ("#009e73", "^")}
    counts = [int(count) for count in results]
    named = dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), grey)
    with plt.rc_context(named | {"svg.hashsalt": "one_pass"}):
        figure, axes = plt.subplots(1, 2, figsize=(8, 3.2))
        for axis, key, title in zip(axes, ("texts_s", "mib"), ("Texts a second", "Peak memory, MiB"), strict=True):
            for way, (colour, mark) in styles.items():
                values = [rows[way][key] for rows in results.values()]
                axis.plot(counts, values, color=colour, marker=mark, markersize=5, linewidth=1.8, label=way)
            axis.set_title(title, fontsize=10)
            axis.set_xlabel("tasks")
            axis.set_xticks(counts)
            axis.set_ylim(bottom=0)
            axis.spines[["top", "right"]].set_visible(False)
            axis.grid(axis="y", color=grey, alpha=0.25)
        axes[0].legend(frameon=False, fontsize=9)
        figure.tight_layout()
        metadata = {"Date": None} if file.suffix == ".svg" else {}
        figure.savefig(file, dpi=150, transparent=True, metadata=metadata)
        plt.close(figure)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="6 tasks, 48 texts, two turns: under a minute")
    parser.add_argument("--model", default="minilm", help="starter name or folder of the backbone")
    parser.add_argument("--tasks", nargs="+", type=int, help="how many; 6, or 1 to 8 for a picture")
    parser.add_argument("--texts", type=int, default=512, help="in a pass")
    parser.add_argument("--turns", type=int, default=8, help="for each number of tasks")
    parser.add_argument("--picture", type=Path, help="image file to draw to (.svg or .png)")
    parser.add_argument("--memory-of", choices=list(WAYS), help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.memory_of:
        texts = json.load(sys.stdin)
        answer = make(chosen.memory_of, chosen.model, chosen.tasks[0])
        print(json.dumps(number(peak_memory(partial(answer, texts)))))
        return
    count, turns = (48, 2) if chosen.quick else (chosen.texts, chosen.turns)
    tasks = chosen.tasks or (range(1, 9) if chosen.picture else [6])
    texts = read_texts(count)
    results = {str(several): report(chosen.model, several, texts, turns) for several in tasks}
    if chosen.picture:
        draw(results, chosen.picture)
    missed = [
        f"{way}, {several} tasks"
        for several, rows in results.items()
        for way, row in rows.items()
        if is_missed(row, rows[ONE])
    ]
    kept = {"model": Path(chosen.model).name, "texts": len(texts), "turns": turns}
    print("\n" + json.dumps({"benchmark": "one_pass", "missed": missed, "results": results} | kept | setting()))


if __name__ == "__main__":
    main()
