"""Memory of training on a file of very many rows.

The rows are synthetic: eight words of a small vocabulary and two numbers, with a score and a class; no two texts are
the same. dev and test are files of 1,000 rows. The model is a random BERT of two layers with a vocabulary of these
words, since what grows with the rows does so whatever the model is. Each file is trained on in a process of its own by
`equipoise.train`: read, checked, tokenized, 20 steps, scored, reported.

What is measured is the peak of resident memory (VmHWM): what the process allocates, and the pages of its temporary file
of tokens that are in memory, which the system takes back when it needs them. `own` is the peak of the first part alone.
The bytes of a row are the difference between the largest and the smallest file.

    python benchmarks/big_training.py [--quick] [--rows 1000000] [--few 100000] [--format parquet]
"""

import argparse
import csv
import json
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import torch

import equipoise
from equipoise.modeling import quiet_transformers
from measuring import rounded, run_apart, setting

KNOWN = (
    "good bad film plot actor phone battery price service food slow fast great awful fine rude nice warm cold late"
    " early box sound screen room staff story music taste cheap"
)
WORDS = KNOWN.split()
CLASSES = ("negative", "neutral", "positive")
COLUMNS = ("text", "stars", "tone", "id")
SMALL, STEPS, PART = 1_000, 20, 50_000
GOAL, GOAL_ROWS = 4096, 10_000_000


def make_parts(rows: int, seed: int) -> Iterator[dict[str, list[Any]]]:
    """Yield the columns of so many rows, part by part."""
    draw = np.random.default_rng(seed)
    for start in range(0, rows, PART):
        count = min(PART, rows - start)
        picked = draw.integers(len(WORDS), size=(count, 8)).tolist()
        yield {
            "text": [f"{' '.join(map(WORDS.__getitem__, row))} {seed} {start + n}" for n, row in enumerate(picked)],
            "stars": draw.uniform(1, 5, count).round(2).tolist(),
            "tone": [CLASSES[number] for number in draw.integers(3, size=count).tolist()],
            "id": list(range(start, start + count)),
        }


def write_rows(path: Path, rows: int, seed: int) -> None:
    """Write a Parquet or CSV file."""
    if path.suffix == ".csv":
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            for part in make_parts(rows, seed):
                writer.writerows(zip(*part.values(), strict=True))
        return
    schema = pa.schema(zip(COLUMNS, (pa.string(), pa.float64(), pa.string(), pa.int64()), strict=True))
    with pa.parquet.ParquetWriter(path, schema) as writer:
        for part in make_parts(rows, seed):
            writer.write_table(pa.table(part, schema))


def write_model(folder: Path) -> None:
    """Write a random BERT of two layers, width 32, that knows the words."""
    from transformers import BertConfig, BertModel, BertTokenizer

    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    pieces += [f"{mark}{digit}" for mark in ("", "##") for digit in range(10)]
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    torch.manual_seed(0)
    with quiet_transformers():
        BertModel(BertConfig(vocab_size=len(pieces), max_position_embeddings=128, **sizes)).save_pretrained(folder)
    vocabulary = {piece: index for index, piece in enumerate(pieces)}
    BertTokenizer(vocab=vocabulary, model_max_length=128).save_pretrained(folder)


def measure(folder: Path, train: Path) -> dict[str, float]:
    """Train on a file, and return the peaks of this process in MiB, and the seconds."""
    own = [0.0]
    threading.Thread(target=_watch, args=(own,), daemon=True).start()
    source = {split: str(folder / f"{split}{train.suffix}") for split in ("dev", "test")}
    config = {
        "model": str(folder / "model"),
        "max_length": 64,
        "sources": {"reviews": {"train": str(train), **source}},
        "tasks": {
            "stars": {"source": "reviews", "kind": "regression", "label": "stars", "range": [1, 5]},
            "tone": {"source": "reviews", "kind": "classification", "label": "tone"},
        },
        "train": {"max_steps": STEPS, "batch_size": 32, "evaluations": 1},
        "output": str(folder / f"run-{train.stem}"),
    }
    file = folder / f"{train.stem}.json"  # JSON is YAML
    file.write_text(json.dumps(config))
    begun = time.perf_counter()
    with quiet_transformers():
        equipoise.train(file)
    return {"MiB": read_status("VmHWM"), "own MiB": own[0], "seconds": time.perf_counter() - begun}


def _watch(own: list[float]) -> None:
    while True:
        own[0] = max(own[0], read_status("RssAnon"))
        time.sleep(0.02)


def read_status(name: str) -> float:
    """Return a figure of this process in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:"))


def compare(folder: Path, counts: Sequence[int], ending: str) -> list[dict[str, float]]:
    """Train on files of so many rows, each in a process of its own."""
    write_model(folder / "model")
    for seed, split in enumerate(("dev", "test"), start=2):
        write_rows(folder / f"{split}.{ending}", SMALL, seed)
    found = []
    for count in counts:
        file = folder / f"train{count}.{ending}"
        write_rows(file, count, 1)
        found.append({"rows": count, **rounded(run_apart(__file__, ["--measure", str(folder), str(file)]))})
        print(f"{count:,} rows: {found[-1]}", file=sys.stderr, flush=True)
        file.unlink()
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, help="Rows of the large file.")
    parser.add_argument("--few", type=int, default=100_000, help="Rows of the small file.")
    parser.add_argument("--format", choices=["parquet", "csv"], default="parquet")
    parser.add_argument("--quick", action="store_true", help="At most a minute: 60,000 and 120,000 rows.")
    parser.add_argument("--measure", nargs=2, type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.measure:
        print(json.dumps(measure(*given.measure)))
        return
    if given.quick:
        given.few, given.rows = 60_000, 120_000
    with tempfile.TemporaryDirectory() as name:
        found = compare(Path(name), (given.few, given.rows), given.format)
    few, many = found
    each = {key: (many[key] - few[key]) * 2**20 / (many["rows"] - few["rows"]) for key in ("MiB", "own MiB")}
    print(f"{'rows':>12}{'peak MiB':>10}{'own MiB':>10}{'seconds':>10}")
    for row in found:
        print(f"{row['rows']:>12,}{row['MiB']:>10.0f}{row['own MiB']:>10.0f}{row['seconds']:>10.0f}")
    print(f"bytes a row: {each['MiB']:.0f}, {each['own MiB']:.0f} of them its own ({given.format})")
    reckoned = many["MiB"] + each["MiB"] * (GOAL_ROWS - many["rows"]) / 2**20
    print(f"{GOAL_ROWS:,} rows, reckoned from these: {reckoned:,.0f} MiB (goal: {GOAL:,} at most)")
    result = {"files": found, "bytes": each["MiB"], "own bytes": each["own MiB"], "reckoned MiB": reckoned}
    print(json.dumps({"benchmark": "big_training", "format": given.format, **rounded(result), **setting()}))


if __name__ == "__main__":
    main()
