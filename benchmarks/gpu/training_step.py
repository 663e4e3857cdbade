"""A training step of ours against that of a bare loop and of `transformers.Trainer`, and the share of making batches.

All train one `MultiTaskModel` with several classification tasks that label every row; rows have exactly as many tokens
as stated, so that nothing is padding.

- bare: forward, sum of the tasks' mean losses, backward, clipping, AdamW, on batches that lie on the device already;
- plain: `transformers.Trainer` with that sum as its loss, `DataCollatorWithPadding`, rows from a `datasets.Dataset`,
  pinned memory on a GPU;
- equal, dao: `MultiTaskTrainer` with these balancers, its sampler, its batches, its log of every step.

    python benchmarks/gpu/training_step.py [--quick] [--model small] [--batch 32 256] [--tasks 2] [--lora] [--compile]

Models: `small` is a random BERT of 2 layers, width 128; `minilm` the starter; `llama` a random Llama of 1.2 billion
parameters, 512 tokens a row; `tiny` is for trying this script out. On a GPU products are computed in bfloat16
(`--precision fp32` does not; with `pure_bf16` weights are so in equal and dao alone, and the others compute in
float32). Each turn trains some steps in every way, in random order; one step to warm up is left out. `ratio` is the
median over turns of a step's time by that of `plain` in the same turn, with a 95 % bootstrap interval where there are
six. `data` is the share of making batches (rows, padding, labels) in a step of `equal`. With `--peak`, in TFLOP a
second, a step's share of it is told, counted as 6 operations a parameter and token, 4 with `--lora`. `missed` in the
JSON names the goals that the intervals lie beyond.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import torch
from torch import Tensor, nn
from transformers import (
    BertConfig,
    BertModel,
    BertTokenizer,
    DataCollatorWithPadding,
    LlamaConfig,
    LlamaModel,
    PrinterCallback,
    Trainer,
    TrainingArguments,
)

from equipoise.balancing import make_balancer
from equipoise.config import TrainConfig
from equipoise.data import Collator, FlatRows, MixedLengthSampler
from equipoise.devices import choose_device
from equipoise.kinds import Classification
from equipoise.modeling import MultiTaskModel, add_adapter, load_backbone, quiet_transformers
from equipoise.training import MultiTaskTrainer, TrainingBatches

sys.path.insert(0, str(Path(__file__).parents[1]))
from measuring import FEW, interval, rounded, setting, synchronize, take_turns
from train_throughput import Clock

RATE, CLASSES, KEPT_BATCHES = 1e-5, ("negative", "neutral", "positive"), 4
BARE, PLAIN, EQUAL, DAO = "bare", "plain", "equal", "dao"
DATA_GOAL = 0.05
TOKENS = {"llama": 512}
SHAPES = {
    "small": {"hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 512},
    "tiny": {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16},
}
LLAMA = {
    "hidden_size": 2048,
    "num_hidden_layers": 16,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "intermediate_size": 8192,
}


class Summed(nn.Module):
    """Our model with the sum of the tasks' mean losses as its loss, as `transformers.Trainer` takes it."""

    def __init__(self, model: MultiTaskModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Answer for every row and task; labels have the shape (rows, tasks)."""
        outputs = self.model({"input_ids": input_ids, "attention_mask": attention_mask})
        targets = dict(zip(outputs, labels.unbind(1), strict=True))
        return {"loss": sum_losses(self.model.losses(outputs, targets))}


class UnsavedTrainer(MultiTaskTrainer):
    """Our trainer, which keeps nothing."""

    def _save_checkpoint(self, *args: Any, **kwargs: Any) -> None:
        """Keep nothing."""


def sum_losses(losses: dict[str, Tensor]) -> Tensor:
    return torch.stack([loss.mean() for loss in losses.values()]).sum()


def make_tokenizer() -> Any:
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    return BertTokenizer(vocab={piece: place for place, piece in enumerate(pieces)})


def make_backbone(name: str) -> tuple[Any, Any]:
    """Return a backbone and its tokenizer."""
    if name == "minilm":
        return load_backbone(name)
    if name == "llama":
        return LlamaModel(LlamaConfig(vocab_size=128256, **LLAMA)), make_tokenizer()
    return BertModel(BertConfig(vocab_size=30522, **SHAPES[name]), add_pooling_layer=False), make_tokenizer()


class Bench:
    """The model and its rows.

    Args:
        name: the model's name.
        batch: rows of a batch.
        tasks: how many.
        steps: steps of a turn, without the first.
        lora: train an adapter of rank 16 and the heads.
        precision: "fp32" or "bf16".
        compiles: ours compile the backbone.
    """

    def __init__(
        self, name: str, batch: int, tasks: int, steps: int, *, lora: bool, precision: str, compiles: bool = False
    ) -> None:
        torch.manual_seed(0)
        self.batch, self.steps, self.precision, self.compiles = batch, steps, precision, compiles
        self.device = choose_device()
        self.tasks = {
            f"task {place}": Classification(f"task {place}", "rows", "text", None, "label", "macro_f1", CLASSES)
            for place in range(tasks)
        }
        self.tokens = TOKENS.get(name, 128)
        with quiet_transformers():
            backbone, tokenizer = make_backbone(name)
            if lora:
                add_adapter(backbone, rank=16, alpha=32, dropout=0.0)
            self.model = MultiTaskModel(backbone, tokenizer, self.tasks, self.tokens).to(self.device)
        draw = np.random.default_rng(0)
        count = batch * (steps + 1)
        ids = draw.integers(5, backbone.config.vocab_size, size=(count, self.tokens))
        self.labels = draw.integers(len(CLASSES), size=(count, tasks))
        named = {f"label:{task}": self.labels[:, place] for place, task in enumerate(self.tasks)}
        columns = {
            "text": [""] * count,
            "input_ids": list(ids),
            "index": np.arange(count),
            "length": [self.tokens] * count,
        }
        self.rows = FlatRows(datasets.Dataset.from_dict(columns | named))
        self.plain_rows = datasets.Dataset.from_dict({"input_ids": list(ids), "labels": list(self.labels)})
        self.collate = Collator(tokenizer, self.tasks)
        self._kept = tempfile.TemporaryDirectory()
        self.folder = Path(self._kept.name)

    @property
    def parameters(self) -> int:
        """How many the backbone has."""
        return sum(parameter.numel() for parameter in self.model.backbone.parameters())

    def bare(self, turn: int) -> float:
        """Train by a loop of one's own; return the seconds of a step."""
        kept = [to_device(self.take(number), self.device) for number in range(min(KEPT_BATCHES, self.steps + 1))]
        trained = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=RATE, fused=True)
        self.model.train()
        rounds = torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16")
        for step in range(self.steps + 1):
            batch = kept[step % len(kept)]
            with rounds:
                outputs = self.model(batch["inputs"], batch["rows"])
            outputs = {task: output.float() for task, output in outputs.items()}
            sum_losses(self.model.losses(outputs, batch["targets"])).backward()
            nn.utils.clip_grad_norm_(trained, 1.0)
            optimizer.step()
            optimizer.zero_grad()
            if not step:
                synchronize()
                begun = time.perf_counter()
        synchronize()
        return (time.perf_counter() - begun) / self.steps

    def plain(self, turn: int) -> float:
        """Train by `transformers.Trainer`."""
        settings = TrainConfig()
        arguments = TrainingArguments(
            output_dir=str(self.folder / "plain"),
            max_steps=self.steps + 1,
            per_device_train_batch_size=self.batch,
            learning_rate=RATE,
            weight_decay=settings.weight_decay,
            warmup_steps=settings.warmup,
            max_grad_norm=settings.max_grad_norm,
            seed=turn,
            bf16=self.precision == "bf16",
            save_strategy="no",
            disable_tqdm=True,
            report_to="none",
            dataloader_pin_memory=self.device.type == "cuda",
        )
        trainer = Trainer(
            model=Summed(self.model),
            args=arguments,
            train_dataset=self.plain_rows,
            data_collator=DataCollatorWithPadding(self.model.tokenizer),
        )
        trainer.remove_callback(PrinterCallback)
        with quiet_transformers():
            return self.clock(trainer, trainer.train)

    def ours(self, name: str, turn: int) -> float:
        """Train by `MultiTaskTrainer`."""
        config = TrainConfig(
            max_steps=self.steps + 1,
            batch_size=self.batch,
            learning_rate=RATE,
            head_learning_rate=None,
            evaluations=1,
            seed=turn,
            precision=self.precision,
            compile=self.compiles,
        )
        trainer = UnsavedTrainer(
            model=self.model,
            balancer=make_balancer(name, dict.fromkeys(self.tasks, "classification")),
            batches=TrainingBatches(self.rows, self.order(turn), self.collate),
            score_dev=lambda: {"run_score": 0.0},
            config=config,
            folder=self.folder,
        )
        trainer.remove_callback(trainer.show_progress)
        return self.clock(trainer, lambda: trainer.fit(saves=False))

    def clock(self, trainer: Trainer, train: Callable[[], object]) -> float:
        """Train, and return the seconds of a step, all but the first."""
        clock = Clock()
        trainer.add_callback(clock)
        train()
        return (clock.times[-1] - clock.times[0]) / self.steps

    def order(self, turn: int) -> MixedLengthSampler:
        """Return the order of the rows in a turn."""
        lengths = np.full(len(self.rows), self.tokens)
        return MixedLengthSampler(lengths, ["rows"] * len(self.rows), self.batch, seed=turn)

    def take(self, number: int) -> dict[str, Any]:
        """Make a batch as training does."""
        return self.collate(self.rows.__getitems__(list(range(number * self.batch, (number + 1) * self.batch))))

    def make_batches(self, turn: int) -> float:
        """Make as many batches as a turn has steps, and return the seconds of one."""
        order = list(self.order(turn))
        begun = time.perf_counter()
        for step in range(self.steps):
            self.collate(self.rows.__getitems__(order[step * self.batch : (step + 1) * self.batch]))
        return (time.perf_counter() - begun) / self.steps


def to_device(value: Any, device: torch.device) -> Any:
    """Bring all tensors of a batch to a device."""
    if isinstance(value, dict):
        return {key: to_device(entry, device) for key, entry in value.items()}
    return value.to(device) if isinstance(value, Tensor) else value


def measure(bench: Bench, turns: int, peak: float | None, lora: bool) -> dict[str, dict[str, Any]]:
    """Return by way its figures."""
    ways: dict[str, Callable[[int], float]] = {
        BARE: bench.bare,
        PLAIN: bench.plain,
        EQUAL: lambda turn: bench.ours(EQUAL, turn),
        DAO: lambda turn: bench.ours(DAO, turn),
        "data": bench.make_batches,
    }
    found = {name: np.array(seconds) for name, seconds in take_turns(ways, turns).items()}
    share = found.pop("data") / found[EQUAL]
    rows: dict[str, dict[str, Any]] = {}
    for name, seconds in found.items():
        ratios = seconds / found[PLAIN]
        low, high = interval(ratios) if turns >= FEW and name != PLAIN else (None, None)
        rows[name] = {
            "ms": 1000 * float(np.median(seconds)),
            "ratio": float(np.median(ratios)),
            "low": low,
            "high": high,
        }
        if peak:
            operations = (4 if lora else 6) * bench.parameters * bench.batch * bench.tokens
            rows[name]["of_peak"] = operations / float(np.median(seconds)) / (peak * 1e12)
    return rows | {"data": summarise(share), "dao by equal": summarise(found[DAO] / found[EQUAL])}


def summarise(ratios: np.ndarray) -> dict[str, Any]:
    """Return the median over turns, and its interval where there are enough."""
    low, high = interval(ratios) if len(ratios) >= FEW else (None, None)
    return {"ratio": float(np.median(ratios)), "low": low, "high": high}


def find_missed(rows: dict[str, dict[str, Any]], tasks: int) -> list[str]:
    """Name the goals that are missed beyond the noise."""
    goals = {EQUAL: 1.0, "data": DATA_GOAL, "dao by equal": 1.05 if tasks <= 2 else 1.10}
    return [name for name, goal in goals.items() if (rows[name]["low"] or rows[name]["ratio"]) > goal]


def report(title: str, rows: dict[str, dict[str, Any]]) -> None:
    """Print a table."""
    print(f"\n{title}\n")
    print(f"{'':14}{'ms a step':>10}{'ratio':>8}   {'95 % interval':16}")
    for name, row in rows.items():
        bounds = "–" if row["low"] is None else f"{row['low']:.3f} to {row['high']:.3f}"
        shown = f"{row['ms']:10.1f}" if "ms" in row else f"{'':10}"
        peak = f"{row['of_peak']:8.1%} of the peak" if "of_peak" in row else ""
        print(f"{name:14}{shown}{row['ratio']:8.3f}   {bounds:16}{peak}")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two turns of a few steps: under a minute")
    parser.add_argument("--model", choices=["small", "minilm", "llama", "tiny"], default="small")
    parser.add_argument("--batch", type=int, nargs="+", default=[32, 256])
    parser.add_argument("--tasks", type=int, default=2, help="how many")
    parser.add_argument("--lora", action="store_true")
    parser.add_argument("--compile", action="store_true", help="ours compile the backbone (train.compile)")
    parser.add_argument(
        "--precision", choices=["fp32", "bf16", "pure_bf16"], default="bf16" if torch.cuda.is_available() else "fp32"
    )
    parser.add_argument("--steps", type=int, default=12, help="of each way in a turn")
    parser.add_argument("--turns", type=int, default=6)
    parser.add_argument("--peak", type=float, help="the card's TFLOP a second in the precision")
    chosen = parser.parse_args(arguments)
    turns, steps = (2, 2) if chosen.quick else (chosen.turns, chosen.steps)
    results, missed = {}, []
    for batch in chosen.batch:
        options = {"lora": chosen.lora, "precision": chosen.precision, "compiles": chosen.compile}
        bench = Bench(chosen.model, batch, chosen.tasks, steps, **options)
        rows = measure(bench, turns, chosen.peak, chosen.lora)
        trained = "LoRA" if chosen.lora else "all of it"
        title = f"{chosen.model} ({trained}), {batch} × {bench.tokens} tokens, {chosen.tasks} tasks, {chosen.precision}"
        report(f"{title}; {turns} turns of {steps} steps", rows)
        missed += [f"{name}, batch {batch}" for name in find_missed(rows, chosen.tasks)]
        results[str(batch)] = {name: rounded(row) for name, row in rows.items()}
    kept = {key: getattr(chosen, key) for key in ("model", "tasks", "lora", "compile", "precision")}
    print(
        "\n" + json.dumps({"benchmark": "gpu/training_step", "missed": missed, "results": results} | kept | setting())
    )


if __name__ == "__main__":
    main()
