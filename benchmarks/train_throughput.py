"""Real tokens a second of a training step, against `transformers.Trainer` in random order and in its grouped order.

All train MiniLM (the starter) on one classification task: which source a text is from. Texts are tweets and product
reviews (`tweet_emotion` and `reviews_music` under EQUIPOISE_DATA, see docs/data.md), cut at 128 tokens; without that
folder the starter corpus: its tweets, and four sentences at a time of its reviews and editorials.

- ours: `MultiTaskTrainer` with `MixedLengthSampler`, balancer `dao`, its log, a `MultiTaskModel`;
- random: `transformers.Trainer` as it is, padding each batch to its longest row, an
  `AutoModelForSequenceClassification`, whose layers have as many weights as ours;
- grouped: the same with `train_sampling_strategy="group_by_length"`.

Batch size (32), AdamW, learning rate, clipping and precision (float32) are the same.

    python benchmarks/train_throughput.py [--quick] [--steps 8] [--turns 12]

Each turn starts every trainer once, in random order, and lets it take a number of steps. Its own sampler orders a whole
epoch, out of which as many whole batches are drawn at random, because a grouped epoch begins with its longest texts.
One step to warm up is left out; the others are measured from end to end, with all that happens between them. Tokens
are those of the texts, without padding. `ratio` is how many times as many tokens a second ours learns from, all turns
together, with a 95 % bootstrap interval over turns, of which there must be six. `padding` is the share of what is
computed that is padding. `missed` in the JSON names the ways whose interval lies below the goal.
"""

import argparse
import json
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from datasets import Dataset
from transformers import (
    AutoModelForSequenceClassification,
    DataCollatorWithPadding,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

from equipoise.balancing import make_balancer
from equipoise.config import TrainConfig
from equipoise.data import Collator, FlatRows, MixedLengthSampler
from equipoise.kinds import Classification
from equipoise.modeling import MultiTaskModel, load_backbone, quiet_transformers
from equipoise.starter import STARTERS, fetch
from equipoise.training import MultiTaskTrainer, TrainingBatches
from measuring import FEW, interval, rounded, setting, synchronize, take_turns

MAX_LENGTH, BATCH, RATE = 128, 32, 1e-4
SOURCES, SENTENCES = ("tweet_emotion", "reviews_music"), 4
OURS, RANDOM, GROUPED = "ours", "random", "grouped"
GOALS = {RANDOM: 1.3, GROUPED: 1.0}


class Taken(NamedTuple):
    """What a turn of a way took: tokens of the texts, tokens computed, seconds."""

    tokens: int
    computed: int
    seconds: float


class Clock(TrainerCallback):
    """Notes when steps end."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def on_step_end(self, *args: Any, **kwargs: Any) -> None:
        """Note the time."""
        synchronize()
        self.times.append(time.perf_counter())


class DrawnBatches:
    """Lets a trainer take some whole batches, drawn at random, of the epoch that its own sampler orders."""

    turn, steps = 0, 1

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        order = np.array(list(super()._get_train_sampler(train_dataset)))
        batches = order[: len(order) // BATCH * BATCH].reshape(-1, BATCH)
        self.drawn = np.random.default_rng(self.turn).permutation(batches)[: self.steps]
        return self.drawn.ravel().tolist()

    def _save_checkpoint(self, *args: Any, **kwargs: Any) -> None:
        """Keep nothing."""


class DrawnTrainer(DrawnBatches, Trainer):
    """A plain trainer."""


class DrawnMultiTaskTrainer(DrawnBatches, MultiTaskTrainer):
    """Our trainer."""


class Bench:
    """The rows and both models.

    Args:
        model: starter name or folder of the backbone.
        texts: the texts of each source.
    """

    def __init__(self, model: str, texts: dict[str, list[str]]) -> None:
        labels = [number for number, found in enumerate(texts.values()) for _ in found]
        every = [text for found in texts.values() for text in found]
        columns = {"text": every, "pair": [None] * len(every), "label:source": labels}
        torch.manual_seed(0)
        task = Classification("source", "texts", "text", None, "label", "macro_f1", tuple(texts))
        with quiet_transformers():
            self.model = MultiTaskModel(*load_backbone(model), {"source": task}, MAX_LENGTH)
            folder = str(fetch(model)) if model in STARTERS else model
            self.classifier = AutoModelForSequenceClassification.from_pretrained(
                folder, num_labels=len(texts), dtype=torch.float32
            )
        self.rows, _ = self.model.encode_rows(Dataset.from_dict(columns), {}, learning=True)
        inputs = [name for name in ("input_ids", "token_type_ids") if name in self.rows.column_names]
        self.plain_rows = self.rows.select_columns([*inputs, "label:source"]).rename_column("label:source", "labels")
        self.lengths = np.array(self.rows["length"])
        # Closed when the process ends.
        self._kept = tempfile.TemporaryDirectory()
        self.folder = Path(self._kept.name)

    def ours(self, turn: int, steps: int) -> Taken:
        """Take some steps with our trainer."""
        config = TrainConfig(
            max_steps=steps + 1, batch_size=BATCH, learning_rate=RATE, head_learning_rate=None, evaluations=1, seed=turn
        )
        sampler = MixedLengthSampler(self.lengths, ["texts"] * len(self.rows), BATCH, seed=turn)
        trainer = DrawnMultiTaskTrainer(
            model=self.model,
            balancer=make_balancer("dao", {"source": "classification"}),
            batches=TrainingBatches(FlatRows(self.rows), sampler, Collator(self.model.tokenizer, self.model.tasks)),
            score_dev=lambda: {"run_score": 0.0},
            config=config,
            folder=self.folder,
        )
        trainer.remove_callback(trainer.show_progress)
        return self.take(trainer, turn, steps)

    def plain(self, strategy: str, turn: int, steps: int) -> Taken:
        """Take some steps with the trainer of transformers."""
        config = TrainConfig()
        arguments = TrainingArguments(
            output_dir=str(self.folder / "plain"),
            train_sampling_strategy=strategy,
            max_steps=steps + 1,
            per_device_train_batch_size=BATCH,
            learning_rate=RATE,
            weight_decay=config.weight_decay,
            warmup_steps=config.warmup,
            max_grad_norm=config.max_grad_norm,
            seed=turn,
            save_strategy="no",
            dataloader_pin_memory=False,
            disable_tqdm=True,
            report_to="none",
        )
        trainer = DrawnTrainer(
            model=self.classifier,
            args=arguments,
            train_dataset=self.plain_rows,
            data_collator=DataCollatorWithPadding(self.model.tokenizer),
            processing_class=self.model.tokenizer,
        )
        trainer.remove_callback(PrinterCallback)
        return self.take(trainer, turn, steps)

    def take(self, trainer: Any, turn: int, steps: int) -> Taken:
        """Train, and measure all steps but the first."""
        clock = Clock()
        trainer.turn, trainer.steps = turn, steps + 1
        trainer.add_callback(clock)
        with quiet_transformers():
            trainer.train()
        lengths = self.lengths[trainer.drawn[1:]]
        return Taken(int(lengths.sum()), int(lengths.max(axis=1).sum() * BATCH), clock.times[-1] - clock.times[0])


def read_texts() -> dict[str, list[str]]:
    """Return the texts of each source: tweets and reviews."""
    if "EQUIPOISE_DATA" in os.environ:
        folder = Path(os.environ["EQUIPOISE_DATA"])
        return {name: [row["text"] for row in read_rows(folder / name / "train.jsonl")] for name in SOURCES}
    sentences: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in read_rows(fetch("vader") / "corpus.jsonl"):
        if row["domain"] in ("tweets", "products", "editorials"):
            sentences[row["domain"], row["document"]].append(row["text"])
    texts: dict[str, list[str]] = defaultdict(list)
    for (domain, _), found in sentences.items():
        for start in range(0, len(found), SENTENCES):
            texts[domain].append(" ".join(found[start : start + SENTENCES]))
    return dict(texts)


def read_rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def ratio(drawn: np.ndarray) -> np.ndarray:
    """Divide our tokens a second by those of another way.

    Args:
        drawn: … × turns × 4: our tokens and seconds, theirs.
    """
    tokens, seconds, other_tokens, other_seconds = np.moveaxis(drawn.sum(axis=-2), -1, 0)
    return (tokens / seconds) / (other_tokens / other_seconds)


def summarise(taken: dict[str, Sequence[Taken]]) -> dict[str, dict[str, Any]]:
    """Return by way its figures."""
    tokens, computed, seconds = np.moveaxis(np.array([taken[way] for way in taken], dtype=float), -1, 0)
    rows: dict[str, dict[str, Any]] = {}
    for place, way in enumerate(taken):
        both = np.stack([tokens[0], seconds[0], tokens[place], seconds[place]], axis=-1)
        low, high = interval(both, ratio) if len(both) >= FEW and way != OURS else (None, None)
        rows[way] = {
            "tokens_s": float(tokens[place].sum() / seconds[place].sum()),
            "ratio": float(ratio(both)),
            "low": low,
            "high": high,
            "goal": GOALS.get(way),
            "padding": float(1 - tokens[place].sum() / computed[place].sum()),
        }
    return rows


def is_missed(row: dict[str, Any]) -> bool:
    return row["goal"] is not None and (row["high"] or row["ratio"]) < row["goal"]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two turns of three steps: under a minute")
    parser.add_argument("--model", default="minilm", help="starter name or folder of the backbone")
    parser.add_argument("--steps", type=int, default=8, help="of each way in a turn")
    parser.add_argument("--turns", type=int, default=12)
    chosen = parser.parse_args(arguments)
    turns, steps = (2, 3) if chosen.quick else (chosen.turns, chosen.steps)
    texts = read_texts()
    bench = Bench(chosen.model, texts)
    ways: dict[str, Callable[[int], Taken]] = {
        OURS: lambda turn: bench.ours(turn, steps),
        RANDOM: lambda turn: bench.plain("random", turn, steps),
        GROUPED: lambda turn: bench.plain("group_by_length", turn, steps),
    }
    rows = summarise(take_turns(ways, turns))
    counts = ", ".join(f"{len(found)} {name}" for name, found in texts.items())
    print(f"{Path(chosen.model).name}; {counts}; {turns} turns of {steps} steps\n")
    print(f"{'':10}{'tokens/s':>10}{'ratio':>8}   {'95 % interval':16}{'goal':>6}{'padding':>9}")
    for way, row in rows.items():
        bounds = "–" if row["low"] is None else f"{row['low']:.2f} to {row['high']:.2f}"
        print(
            f"{way:10}{row['tokens_s']:10.0f}{row['ratio']:8.2f}   {bounds:16}{row['goal'] or '–':>6}"
            f"{row['padding']:9.1%}"
        )
    missed = [way for way, row in rows.items() if is_missed(row)]
    results = {way: rounded(row) for way, row in rows.items()}
    kept = {"model": Path(chosen.model).name, "sources": list(texts), "turns": turns, "steps": steps}
    print("\n" + json.dumps({"benchmark": "train_throughput", "missed": missed, "results": results} | kept | setting()))


if __name__ == "__main__":
    main()
