"""Memory that long texts and pairs take: peak above the model's own, while it answers for them.

Each row has a text and a pair of that many words; both are cut to `max_length` (128 tokens) together. A model is loaded
in a process of its own, answers short rows first, and then rows of each length, shortest first:

- head: an encoder (`minilm`), a task with a pair in the format `head`;
- prompt: a language model (`smollm2-135m`), the same task in the format `prompt`;
- windows: the encoder, a task without a pair, `long_texts: windows`; at most 4 rows, all of whose words are read.

    python benchmarks/long_inputs.py [--quick] [--words 100 1000 10000] [--rows 50] [--ways head prompt windows]

`MiB above` is the peak of the process while it answers, from texts to answers, less what it held before; on a GPU what
PyTorch has allocated there. `missed` in the JSON names the lengths that take more than 1 GiB.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from equipoise.devices import choose_device
from equipoise.kinds import Classification
from equipoise.modeling import MultiTaskModel, Predictor, load_backbone
from measuring import number, peak_memory, rounded, run_apart, setting

MODELS = {"head": "minilm", "prompt": "smollm2-135m", "windows": "minilm"}
MAX_LENGTH, BATCH = 128, 8
IN_WINDOWS = 4
GOAL = 1024.0
"""MiB above the model."""
_WORDS = ("hotel", "was", "great", "breakfast", "too", "late", "small", "room,", "never", "again", "price", "7/10")


def make_rows(words: int, count: int) -> list[dict[str, str]]:
    """Draw rows with a text and a pair of so many words; always the same."""
    draw = np.random.default_rng(words)
    texts = [" ".join(draw.choice(_WORDS, size=words)) for _ in range(2 * count)]
    return [{"text": text, "target": pair} for text, pair in zip(texts[::2], texts[1::2], strict=True)]


def load_predictor(way: str, model: str) -> Predictor:
    """Put a task on a backbone; its head, where it has one, has random weights."""
    kind, pair = ("prompt" if way == "prompt" else "head"), (None if way == "windows" else "target")
    task = Classification("p", "s", "text", pair, "label", "macro_f1", ("negative", "positive"), format=kind)
    backbone, tokenizer = load_backbone(model, language_model=way == "prompt")
    network = MultiTaskModel(backbone, tokenizer, {"p": task}, MAX_LENGTH).to(choose_device()).eval()
    return Predictor(network.with_long_texts("windows" if way == "windows" else "cut"))


def measure(way: str, model: str, words: Sequence[int], count: int) -> dict[str, dict[str, Any]]:
    """Measure one way in this process."""
    predictor = load_predictor(way, model)
    if way == "windows":
        count = min(count, IN_WINDOWS)
    predictor.predict(make_rows(100, min(count, BATCH)), batch_size=BATCH)
    found = {}
    for length in sorted(words):
        rows = make_rows(length, count)
        before, began = peak_memory(lambda: None), time.monotonic()
        peak = peak_memory(lambda rows=rows: predictor.predict(rows, batch_size=BATCH))
        found[str(length)] = {
            "mib_above": number(peak - before),
            "texts_mib": sum(len(text) for row in rows for text in row.values()) / 2**20,
            "seconds": time.monotonic() - began,
        }
    return found


def find_missed(results: dict[str, dict[str, dict[str, Any]]]) -> list[str]:
    """Name the lengths that take more memory than they may."""
    missed = []
    for way, lengths in results.items():
        for length, row in lengths.items():
            if row["mib_above"] is not None and row["mib_above"] > GOAL:
                missed.append(f"{way}, {length} words")
    return missed


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--words", type=int, nargs="+", default=[100, 1000, 10_000], help="words of text and of pair")
    parser.add_argument("--rows", type=int, default=50)
    parser.add_argument("--ways", nargs="+", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--models", type=json.loads, default=MODELS, help="the model of each way, as JSON")
    parser.add_argument("--quick", action="store_true", help="4 rows")
    parser.add_argument("--apart", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    count = 4 if options.quick else options.rows
    if options.apart:
        print(json.dumps(measure(options.apart, options.models[options.apart], options.words, count)))
        return
    given = ["--rows", str(count), "--models", json.dumps(options.models), "--words", *map(str, options.words)]
    results = {}
    print(f"{'way':10} {'words':>8} {'texts, MiB':>11} {'MiB above':>10} {'seconds':>8}")
    for way in options.ways:
        results[way] = run_apart(__file__, ["--apart", way, *given])
        for length, row in results[way].items():
            above = "–" if row["mib_above"] is None else f"{row['mib_above']:.0f}"
            print(f"{way:10} {length:>8} {row['texts_mib']:11.1f} {above:>10} {row['seconds']:8.1f}")
    rows = {way: {length: rounded(row) for length, row in lengths.items()} for way, lengths in results.items()}
    print(json.dumps({"rows": count, "results": rows, "missed": find_missed(results), **setting()}))


if __name__ == "__main__":
    main(sys.argv[1:])
