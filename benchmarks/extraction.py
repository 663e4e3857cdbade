"""Aspects with polarity: an extraction task against a plain token classifier of the Hugging Face Trainer.

Both fine-tune the same backbone on the same rows, with the same batches a step, epochs, learning rate and schedule, and
take the epoch that is best on dev. Test is scored once, by micro-F1 of exact (term, polarity):

equipoise   a run file with one task of kind extraction
plain       `AutoModelForTokenClassification` and `Trainer`, as the token-classification guide of transformers has it:
            words between whitespace, B and I of each polarity, the first piece of each word is labeled and read
quick head  the same, with the rate for the new layer that heads have in a run file, ten times that of the backbone

    python benchmarks/extraction.py DATA [--quick] [--rows 1000] [--epochs 6] [--seeds 3] [--model minilm]

DATA is a folder with train.jsonl, dev.jsonl and test.jsonl, whose rows have "text" and "aspects", a list of
{"term", "polarity"}. A finished training is a line in `--output` and is not repeated. `--quick` is one seed, 100 rows
and one epoch, and shows only that both run.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from scipy import stats
from transformers import (
    AutoModelForTokenClassification,
    AutoTokenizer,
    DataCollatorForTokenClassification,
    Trainer,
    TrainingArguments,
    set_seed,
)

from equipoise.config import load_config
from equipoise.data import Table, load_table
from equipoise.kinds import get_metric
from equipoise.modeling import quiet_transformers
from equipoise.starter import STARTERS, fetch
from equipoise.training import train
from measuring import setting

METRICS = ("extraction_f1", "term_f1", "polarity_accuracy")
MAX_LENGTH, BATCH, RATE, HEAD_RATE, DECAY = 128, 32, 1e-4, 1e-3, 0.01


def run_file(arguments: argparse.Namespace, folder: Path) -> Path:
    """Write the run file of both ways, which also draws the rows of both."""
    data = arguments.data.resolve()
    keys = {
        "model": arguments.model,
        "max_length": MAX_LENGTH,
        "sources": {
            "reviews": {split: str(data / f"{split}.jsonl") for split in ("train", "dev", "test")}
            | {"limit": {"train": arguments.rows, **({"dev": 100, "test": 100} if arguments.quick else {})}}
        },
        "tasks": {"aspects": {"source": "reviews", "kind": "extraction", "label": "aspects"}},
        "train": {
            "epochs": arguments.epochs,
            "evaluations": arguments.epochs,
            "learning_rate": RATE,
            "head_learning_rate": HEAD_RATE,
            "batch_size": BATCH,
        },
        "evaluation": {"bootstrap": 100, "baselines": []},
        "output": str(folder / "run"),
    }
    path = folder / "run.yaml"
    path.write_text(json.dumps(keys), encoding="utf-8")  # JSON is YAML, too
    return path


def run_equipoise(path: Path, seed: int) -> dict[str, float]:
    """Train by the run file, and return the metrics on test."""
    records = train(path, [f"train.seed={seed}"], overwrite=True).records
    return {record["metric"]: record["value"] for record in records if record["split"] == "test"}


class Plain:
    """A token classifier of transformers.

    Args:
        table: the rows.
        model: the backbone.
    """

    def __init__(self, table: Table, model: str) -> None:
        self.table = table
        self.folder = str(fetch(model)) if model in STARTERS else model
        self.tokenizer = AutoTokenizer.from_pretrained(self.folder, trust_remote_code=False)
        self.polarities = table.tasks["aspects"].class_names
        self.tags = ["O", *(f"{part}-{name}" for name in self.polarities for part in "BI")]
        self.rows = {split: self.encode(split) for split in ("train", "dev", "test")}

    def encode(self, split: str) -> Dataset:
        """Return rows with the places of the words, and of each token the word and its tag."""
        rows = []
        for text, label in zip(self.table.splits[split]["text"], self.table.labels("aspects", split), strict=True):
            words = text.split()
            encoding = self.tokenizer(words, is_split_into_words=True, truncation=True, max_length=MAX_LENGTH)
            numbers = encoding.word_ids()
            first = [place > 0 and number != numbers[place - 1] for place, number in enumerate(numbers)]
            tags = self.tag_words(text, words, json.loads(label))
            labels = [tags[n] if n is not None and first[place] else -100 for place, n in enumerate(numbers)]
            rows.append({"input_ids": encoding["input_ids"], "labels": labels})
        return Dataset.from_list(rows)

    def tag_words(self, text: str, words: Sequence[str], mentions: list[dict[str, Any]]) -> list[int]:
        """Return the number of each word's tag."""
        tags, start = [0] * len(words), 0
        for number, word in enumerate(words):
            start = text.index(word, start)
            for mention in mentions:
                if mention["start"] < start + len(word) and start < mention["end"]:
                    inside = "I" if start > mention["start"] else "B"
                    tags[number] = self.tags.index(f"{inside}-{mention['polarity']}")
            start += len(word)
        return tags

    def read(self, split: str, logits: np.ndarray) -> np.ndarray:
        """Return the mentions by the best tag of each word; an I without a B before it begins one."""
        answers = []
        for row, text in enumerate(self.table.splits[split]["text"]):
            words, labels = text.split(), np.array(self.rows[split][row]["labels"])
            tags = [self.tags[number] for number in logits[row, : len(labels)][labels >= 0].argmax(axis=-1)]
            found: list[tuple[str, list[str]]] = []
            before = "O"
            for word, tag in zip(words, tags, strict=False):
                if tag[0] == "I" and before[2:] == tag[2:]:
                    found[-1][1].append(word)
                elif tag != "O":
                    found.append((tag[2:], [word]))
                before = tag
            answers.append(json.dumps([{"term": " ".join(parts), "polarity": name} for name, parts in found]))
        return np.array(answers, dtype=object)

    def score(self, split: str, logits: np.ndarray) -> dict[str, float]:
        """Score a split by all metrics."""
        gold, found = self.table.labels("aspects", split), self.read(split, logits)
        return {name: get_metric(name)(gold, found) for name in METRICS}

    def run(self, epochs: int, seed: int, head_rate: float | None = None) -> dict[str, float]:
        """Train, and return the metrics on test."""
        set_seed(seed)
        model = AutoModelForTokenClassification.from_pretrained(
            self.folder, num_labels=len(self.tags), trust_remote_code=False
        )
        optimizer = None
        if head_rate is not None:
            new = {"params": model.classifier.parameters(), "lr": head_rate}
            groups = [{"params": model.base_model.parameters()}, new]
            optimizer = torch.optim.AdamW(groups, lr=RATE, weight_decay=DECAY)
        with tempfile.TemporaryDirectory() as folder, quiet_transformers():
            arguments = TrainingArguments(
                folder,
                num_train_epochs=epochs,
                per_device_train_batch_size=BATCH,
                per_device_eval_batch_size=BATCH,
                learning_rate=RATE,
                warmup_steps=0.1,
                weight_decay=DECAY,
                eval_strategy="epoch",
                save_strategy="epoch",
                save_total_limit=1,
                load_best_model_at_end=True,
                metric_for_best_model="extraction_f1",
                seed=seed,
                disable_tqdm=True,
                report_to="none",
            )
            trainer = Trainer(
                model,
                arguments,
                optimizers=(optimizer, None),
                data_collator=DataCollatorForTokenClassification(self.tokenizer),
                train_dataset=self.rows["train"],
                eval_dataset=self.rows["dev"],
                compute_metrics=lambda found: self.score("dev", found.predictions),
            )
            trainer.train()
            trainer.compute_metrics = None  # those of dev
            return self.score("test", trainer.predict(self.rows["test"]).predictions)


def describe(values: Sequence[float]) -> str:
    """Write a mean with its 95 % t-interval over seeds."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return f"{mean:.3f}"
    half = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5
    return f"{mean:.3f} [{mean - half:.3f}, {mean + half:.3f}]"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--model", default="minilm")
    parser.add_argument("--output", type=Path, help="file of finished trainings; a temporary one when not given")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.rows, arguments.epochs, arguments.seeds = 100, 1, 1
    return arguments


def main() -> None:
    arguments = parse()
    with tempfile.TemporaryDirectory() as folder:
        path = run_file(arguments, Path(folder))
        output = arguments.output or Path(folder) / "cells.jsonl"
        done = [json.loads(line) for line in output.read_text().splitlines()] if output.exists() else []
        plain = Plain(load_table(load_config(path)), arguments.model)
        ways = {
            "equipoise": lambda seed: run_equipoise(path, seed),
            "plain": lambda seed: plain.run(arguments.epochs, seed),
            "quick head": lambda seed: plain.run(arguments.epochs, seed, HEAD_RATE),
        }
        settings = [arguments.model, arguments.rows, arguments.epochs]
        for seed in range(arguments.seeds):
            for way, run in ways.items():
                if not any((cell["way"], cell["seed"], cell["settings"]) == (way, seed, settings) for cell in done):
                    found = run(seed)
                    done.append(
                        {"way": way, "seed": seed, "settings": settings, **{name: found[name] for name in METRICS}}
                    )
                    with output.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(done[-1]) + "\n")
    cells = [cell for cell in done if cell["settings"] == settings and cell["seed"] < arguments.seeds]
    table = {way: {name: [cell[name] for cell in cells if cell["way"] == way] for name in METRICS} for way in ways}
    print(f"{'':12}" + "".join(f"{name:>28}" for name in METRICS))
    for way, values in table.items():
        print(f"{way:12}" + "".join(f"{describe(values[name]):>28}" for name in METRICS))
    print(
        json.dumps({"benchmark": "extraction", **setting(), "rows": arguments.rows, "seeds": arguments.seeds, **table})
    )


if __name__ == "__main__":
    sys.exit(main())
