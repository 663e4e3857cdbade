"""What scoring six answers costs a language model: packed into one forward pass, against a pass an answer.

SmolLM2 (the starter) is asked for the topic of eight texts; a prompt has 60 tokens, and each of six labels has three.
All ways run the same weights in float32 without gradients, and compute logits only where a token is scored:

- prompt alone: one forward pass of the prompts, with the logits behind their last tokens;
- packed: one forward pass of `MultiTaskModel` over what `PromptEncoder` made: prompts and all labels as trees;
- naive: for each label one forward pass of the prompts with that label, by `transformers` alone.

    python benchmarks/answer_scoring.py [--quick] [--turns 20]

A turn is one batch, the same for each way, in random order. `ratio` is a way's time over that of the prompt alone: the
median over turns, with a 95 % bootstrap interval over turns, of which there must be six. Making prompts and batches is
not in it. `difference` is the largest one between the log-probabilities (in nats) that the packed and the naive way
find for a label. `missed` in the JSON names the goals that are missed: an interval that lies above 1.5 for the packed
way, a difference above 1e-4.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor

from equipoise.data import ChatStyle, gather_scored, pad_rows
from equipoise.kinds import Classification
from equipoise.modeling import MultiTaskModel, load_backbone
from equipoise.starter import fetch
from measuring import FEW, interval, rounded, setting, synchronize, take_turns

LABELS = (
    "value for money",
    "ease of use",
    "quality of sound",
    "speed of delivery",
    "help from staff",
    "size and weight",
)
TASK = Classification("topic", "texts", "text", None, "label", "macro_f1", LABELS, format="prompt")
ROWS, TOKENS = 8, 60
PROMPT, PACKED, NAIVE = "prompt alone", "packed", "naive"
GOAL, TOLERANCE = 1.5, 1e-4


class Bench:
    """A language model and batches of prompts.

    Args:
        model: starter name or folder of the language model.
        texts: from which the prompts are made; one has as many tokens as fit in.
        tokens: of a prompt.
    """

    def __init__(self, model: str, texts: list[str], tokens: int) -> None:
        backbone, tokenizer = load_backbone(model, language_model=True)
        self.model = MultiTaskModel(backbone, tokenizer, {"topic": TASK}, tokens, style=ChatStyle(chat=False)).eval()
        self.where = "cuda" if torch.cuda.is_available() else "cpu"
        self.model.to(self.where)
        rows, _ = self.model.encode_rows(
            Dataset.from_dict({"text": texts, "pair": [None] * len(texts)}), {"topic": np.arange(len(texts))}
        )
        # Where the text fills its place, the first answer is scored behind the last token of the prompt.
        self.rows = [row for row in rows.to_list() if row["positions:topic"][0] == tokens - 1]
        self.tokens = tokens
        self.answers = [tokenizer(" " + label, add_special_tokens=False)["input_ids"] for label in LABELS]

    def batch(self, turn: int) -> list[dict[str, Any]]:
        """Return the rows of a turn."""
        return [self.rows[(turn * ROWS + place) % len(self.rows)] for place in range(ROWS)]

    def prompts(self, turn: int) -> Tensor:
        """Return a turn's prompts, rows × tokens."""
        return torch.tensor([item["input_ids"][: self.tokens] for item in self.batch(turn)], device=self.where)

    def read_prompts(self, turn: int) -> tuple[Tensor, float]:
        """Return the logits behind the prompts."""
        prompts = self.prompts(turn)
        return timed(lambda: self.model.backbone(prompts, logits_to_keep=1, use_cache=False).logits)

    def score_packed(self, turn: int) -> tuple[Tensor, float]:
        """Return the log-probabilities of the labels, rows × labels."""
        items = self.batch(turn)
        inputs = {name: tensor.to(self.where) for name, tensor in pad_rows(items, self.model.tokenizer).items()}
        entry = gather_scored(items, range(ROWS), TASK, inputs["input_ids"].shape[1])
        scored = {"topic": {name: tensor.to(self.where) for name, tensor in entry.items()}}
        return timed(lambda: self.model(inputs, None, scored)["topic"])

    def score_naively(self, turn: int) -> tuple[Tensor, float]:
        """Return the same, label by label."""
        prompts = self.prompts(turn)
        answers = [torch.tensor(answer, device=self.where).expand(ROWS, -1) for answer in self.answers]

        def score() -> Tensor:
            found = []
            for answer in answers:
                # The last token is predicted, never read.
                sequence = torch.cat([prompts, answer[:, :-1]], dim=1)
                logits = self.model.backbone(sequence, logits_to_keep=answer.shape[1], use_cache=False).logits
                found.append(logits.float().log_softmax(-1).gather(2, answer[:, :, None]).sum((1, 2)))
            return torch.stack(found, dim=1)

        return timed(score)


def timed(action: Callable[[], Tensor]) -> tuple[Tensor, float]:
    """Return what a computation finds, and its seconds."""
    with torch.inference_mode():
        synchronize()
        start = time.perf_counter()
        found = action()
        synchronize()
        return found, time.perf_counter() - start


def read_texts(count: int) -> list[str]:
    """Read the first product reviews of the starter corpus, each whole."""
    lines = (fetch("vader") / "corpus.jsonl").read_text(encoding="utf-8").splitlines()
    reviews: dict[str, list[str]] = {}
    for row in map(json.loads, lines):
        if row["domain"] == "products":
            reviews.setdefault(row["document"], []).append(row["text"])
    return [" ".join(sentences) for sentences in reviews.values()][:count]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="three turns: under a minute")
    parser.add_argument("--model", default="smollm2-135m", help="starter name or folder of the language model")
    parser.add_argument("--tokens", type=int, default=TOKENS, help="of a prompt")
    parser.add_argument("--turns", type=int, default=20)
    chosen = parser.parse_args(arguments)
    turns = 3 if chosen.quick else chosen.turns
    bench = Bench(chosen.model, read_texts(300), chosen.tokens)
    # The first passes are slower than any other.
    bench.read_prompts(0), bench.score_packed(0)
    found = take_turns({PROMPT: bench.read_prompts, PACKED: bench.score_packed, NAIVE: bench.score_naively}, turns)
    seconds = {way: np.array([taken for _, taken in turn]) for way, turn in found.items()}
    difference = max(
        float((packed - naive).abs().max()) for (packed, _), (naive, _) in zip(found[PACKED], found[NAIVE], strict=True)
    )
    width = max(len(row["input_ids"]) for row in bench.rows)
    print(f"{len(LABELS)} labels, {ROWS} prompts of {chosen.tokens} tokens, packed {width}; {turns} turns\n")
    print(f"{'':14}{'ms':>8}{'ratio':>8}   {'95 % interval':16}{'goal':>6}")
    rows: dict[str, dict[str, Any]] = {}
    for way, taken in seconds.items():
        ratios = taken / seconds[PROMPT]
        low, high = interval(ratios) if turns >= FEW and way != PROMPT else (None, None)
        goal = GOAL if way == PACKED else None
        rows[way] = {"ms": float(1000 * np.median(taken)), "ratio": float(np.median(ratios)), "low": low, "high": high}
        bounds = "–" if low is None else f"{low:.2f} to {high:.2f}"
        print(f"{way:14}{rows[way]['ms']:8.1f}{rows[way]['ratio']:8.2f}   {bounds:16}{goal or '–':>6}")
    print(f"\nlargest difference between packed and naive: {difference:.1e} nats (goal {TOLERANCE:g})")
    missed = find_missed(rows[PACKED], difference)
    result = {"benchmark": "answer_scoring", "missed": missed, "difference": difference}
    kept = {"model": Path(chosen.model).name, "tokens": chosen.tokens, "packed_tokens": width, "turns": turns}
    results = {way: rounded(row) for way, row in rows.items()}
    print("\n" + json.dumps(result | {"results": results} | kept | setting()))


def find_missed(packed: dict[str, Any], difference: float) -> list[str]:
    """Name the goals that are missed, beyond the noise."""
    too_slow = (packed["low"] or packed["ratio"]) > GOAL
    return ["time"] * too_slow + ["difference"] * (not difference <= TOLERANCE)


if __name__ == "__main__":
    main()
