"""What freezing a language model's lowest layers saves.

    python benchmarks/frozen_layers.py [--quick] [--model smollm2-135m] [--layers 10 15 20] [--rows 64] [--turns 8]

SmolLM2-135M with LoRA (r = 8 on q and v) above the frozen layers and a head of three classes trains in bfloat16
on made-up rows of 32 to 96 tokens. Each number of frozen layers takes a pass over the same batches in turns, in random
order: as transformers computes it ("plain"), and with `equipoise.modeling.FrozenLayers`, which meets the rows ("first")
or knows them from an earlier pass ("again"). Time is the median over turns of a pass divided by the pass without
frozen layers in the same turn, with a 95 % bootstrap interval.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from equipoise.kinds import Classification
from equipoise.modeling import FrozenLayers, MultiTaskModel, add_adapter, load_backbone, plain_attention
from measuring import FEW, interval, number, rounded, setting, synchronize, take_turns

BATCH, LONGEST = 16, 96


def make_model(name: str, frozen: int) -> MultiTaskModel:
    torch.manual_seed(0)
    backbone, tokenizer = load_backbone(name)
    add_adapter(backbone, above=frozen)
    task = Classification("tone", "source", "text", None, "label", "macro_f1", ("bad", "so so", "good"))
    model = MultiTaskModel(backbone, tokenizer, {"tone": task}, LONGEST, pooling="mean")
    return model.to("cuda" if torch.cuda.is_available() else "cpu").train()


def make_batches(rows: int, vocabulary: int) -> list[dict[str, Tensor]]:
    """Make rows of similar length in each batch, as length grouping does."""
    draw = torch.Generator().manual_seed(0)
    lengths = torch.linspace(32, LONGEST, rows).long()
    batches = []
    for own in lengths.split(BATCH):
        mask = (torch.arange(int(own.max())) < own[:, None]).long()
        batches.append(
            {
                "input_ids": torch.randint(vocabulary // 2, vocabulary, mask.shape, generator=draw) * mask,
                "attention_mask": mask,
            }
        )
    return batches


def train_once(model: MultiTaskModel, batches: list[dict[str, Tensor]]) -> float:
    """Take a pass over the batches, forward and backward, and return its seconds."""
    where = model.device.type
    synchronize()
    begun = time.perf_counter()
    for batch in batches:
        with torch.autocast(where, torch.bfloat16):
            outputs = model({name: tensor.to(where) for name, tensor in batch.items()})["tone"]
        targets = torch.zeros(len(outputs), dtype=torch.long, device=where)
        nn.functional.cross_entropy(outputs.float(), targets).backward()
        model.zero_grad()
    synchronize()
    return time.perf_counter() - begun


class Ways:
    """The ways to train with some layers frozen."""

    def __init__(self, model: str, frozen: int, rows: int) -> None:
        self.frozen = frozen
        self.model = make_model(model, frozen)
        self.batches = make_batches(rows, self.model.backbone.config.vocab_size)
        self._kept = FrozenLayers(self.model, frozen, room=4)

    def plain(self, turn: int) -> float:
        """As transformers computes it."""
        return train_once(self.model, self.batches)

    def first(self, turn: int) -> float:
        """No row is known."""
        self._kept = FrozenLayers(self.model, self.frozen, room=4)
        return self.again(turn)

    def again(self, turn: int) -> float:
        """The rows are known."""
        with self._kept.cached():
            return train_once(self.model, self.batches)


def measure(model: str, layers: Sequence[int], rows: int, turns: int) -> list[dict[str, Any]]:
    """Take all ways in turns; the rows of the table."""
    benches = {frozen: Ways(model, frozen, rows) for frozen in layers}
    ways: dict[tuple[int, str], Callable[[int], float]] = {(0, "plain"): benches[0].plain}
    for frozen in layers:
        if frozen:
            bench = benches[frozen]
            bench.first(0)
            ways |= {(frozen, "plain"): bench.plain, (frozen, "first"): bench.first, (frozen, "again"): bench.again}
    with ExitStack() as held:
        for bench in benches.values():
            # As our trainer does on CPUs.
            held.enter_context(plain_attention(bench.model.backbone, LONGEST))
        seconds = {way: np.array(found) for way, found in take_turns(ways, turns).items()}
    table = []
    for (frozen, way), found in seconds.items():
        ratios = found / seconds[0, "plain"]
        low, high = interval(ratios) if turns >= FEW else (float("nan"), float("nan"))
        table.append(
            {
                "frozen": frozen,
                "way": way,
                "seconds a step": float(np.median(found)) / len(benches[frozen].batches),
                "ratio": float(np.median(ratios)),
                "low": number(low),
                "high": number(high),
            }
        )
    return table


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="smollm2-135m", help="A decoder, as in a run file.")
    parser.add_argument("--layers", type=int, nargs="+", default=[10, 15, 20], help="How many layers are frozen.")
    parser.add_argument("--rows", type=int, default=64, help="Rows of a pass.")
    parser.add_argument("--turns", type=int, default=8, help="Turns.")
    parser.add_argument("--quick", action="store_true", help="At most a minute: 20 layers, 16 rows, one turn.")
    given = parser.parse_args(arguments)
    layers = [0, *([20] if given.quick else given.layers)]
    rows, turns = (BATCH, 1) if given.quick else (given.rows, given.turns)
    table = measure(given.model, layers, rows, turns)
    print(f"{'frozen':>6}  {'way':6}  {'s a step':>8}  {'ratio':>6}  95 % interval")
    for row in table:
        spread = "" if row["low"] is None else f"[{row['low']:.3f}, {row['high']:.3f}]"
        print(f"{row['frozen']:6}  {row['way']:6}  {row['seconds a step']:8.2f}  {row['ratio']:6.3f}  {spread}")
    again = {f"{row['frozen']} layers": row["ratio"] for row in table if row["way"] == "again"}
    print(json.dumps({"again": again, "rows": [rounded(row) for row in table], **setting()}))


if __name__ == "__main__":
    main()
