"""Memory and speed of `equipoise predict` on a file of many rows.

The rows are texts of the starter corpus `vader`, repeated with a word and a number at the end: no two are the same.

- memory: the peak of a process that answers `--rows` rows, from a CSV file to a JSONL file, over that of one that
  answers 10,000 (`--few`). By default with a random BERT of two layers and the first six words of each text: what grows
  with the file does so whatever the model is. `--model FOLDER` takes a trained one and whole texts.
- speed: texts a second, from file to file, over those of a text-classification pipeline of `transformers` with the
  same backbone (MiniLM), head, greatest length and precision, which gets the list of texts and `batch_size=32`, as its
  documentation has it. Beside it the pipeline that takes one text after the other, which is its default, `predict` on
  the same model exported by `equipoise export --int8`, and where the processor has bfloat16 `predict --precision bf16`
  and the pipeline with a model of that type. In turns, in random order: the median over turns, with a 95 %
  bootstrap interval where there are six.

    python benchmarks/big_file.py [--quick] [--rows 100000] [--few 10000] [--texts 1024] [--turns 6] [--model FOLDER]
"""

import argparse
import csv
import json
import string
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from equipoise.data import stream_rows
from equipoise.exporting import export_onnx
from equipoise.kinds import Classification
from equipoise.modeling import MultiTaskModel, Predictor, load, load_backbone, quiet_transformers
from equipoise.onnx import load_onnx
from equipoise.precision import compute_type
from equipoise.predicting import BasePredictor
from equipoise.starter import fetch
from equipoise.streaming import Job, LocalEngine, predict_stream
from measuring import FEW, interval, rounded, run_apart, setting, take_turns

CLASSES = ("negative", "neutral", "positive")
MAX_LENGTH, BATCH, WORDS = 128, 32, 6
MEMORY_GOAL, SPEED_GOAL = 1.2, 3.0
OPTIONS: dict[str, Any] = {"pair": None, "tasks": None, "batch_size": BATCH, "prompts": 1}
TASKS = {"tone": Classification("tone", "s", "text", None, "label", "macro_f1", CLASSES)}


def write_rows(path: Path, rows: int, words: int | None) -> None:
    """Write a CSV file of texts."""
    lines = (fetch("vader") / "corpus.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [json.loads(line)["text"].split() for line in lines]
    draw = np.random.default_rng(0)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text"])
        for number in range(rows):
            own, other = (texts[place] for place in draw.integers(len(texts), size=2))
            writer.writerow([number, " ".join([*own[:words], other[0], str(number)])])


def write_tiny(folder: Path) -> Path:
    """Write a model with a random BERT of two layers, width 32."""
    from transformers import BertConfig, BertModel, BertTokenizer

    signs = [*string.ascii_lowercase, *string.digits, *string.punctuation]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *signs, *(f"##{sign}" for sign in signs)]
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    torch.manual_seed(0)
    bert = BertModel(BertConfig(vocab_size=len(pieces), max_position_embeddings=128, **sizes))
    tokenizer = BertTokenizer(vocab={piece: index for index, piece in enumerate(pieces)}, model_max_length=128)
    MultiTaskModel(bert, tokenizer, TASKS, max_length=64).save_pretrained(folder)
    return folder


def answer_file(predictor: BasePredictor, model: Path, rows: Path, output: Path) -> None:
    """Answer a file as `equipoise predict` does."""
    predict_stream(Job(stream_rows(rows), model, OPTIONS, output), LocalEngine(predictor, OPTIONS))


def measure_peak(model: Path, rows: Path) -> dict[str, float]:
    """Answer a file, and return the peak memory of this process in MiB, and the seconds."""
    predictor = load(model)
    begun = time.perf_counter()
    answer_file(predictor, model, rows, rows.with_suffix(".jsonl"))
    seconds = time.perf_counter() - begun
    lines = Path("/proc/self/status").read_text().splitlines()
    return {"MiB": next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), "seconds": seconds}


def compare_memory(folder: Path, counts: Sequence[int], model: Path | None) -> dict[str, Any]:
    """Measure the peak memory for files of so many rows, each in a process of its own."""
    known = model or write_tiny(folder / "tiny")
    found = {}
    for count in counts:
        rows = folder / f"{count}.csv"
        write_rows(rows, count, None if model else WORDS)
        found[count] = run_apart(__file__, ["--measure", str(known), str(rows)])
        print(f"{count:,} rows: {found[count]}", file=sys.stderr, flush=True)
    few, many = counts
    return {
        "rows": many,
        "few": few,
        "model": "a random BERT, two layers, six words a row" if model is None else str(model),
        "MiB": found[many]["MiB"],
        "MiB_few": found[few]["MiB"],
        "ratio": found[many]["MiB"] / found[few]["MiB"],
        "rows_per_second": many / found[many]["seconds"],
    }


def compare_speed(folder: Path, texts: int, turns: int) -> dict[str, Any]:
    """Measure texts a second against a pipeline, in turns."""
    rows, backbone = folder / "texts.csv", str(fetch("minilm"))
    write_rows(rows, texts, None)
    predictor = Predictor(MultiTaskModel(*load_backbone(backbone), TASKS, max_length=MAX_LENGTH).eval())
    predictor.model.save_pretrained(folder / "minilm")
    int8 = export_onnx(folder / "minilm", folder / "int8", int8=True).folder
    asked = make_pipeline(backbone)

    def by_predict(predictor: BasePredictor, model: Path) -> Callable[[int], float]:
        return lambda turn: timed(texts, lambda: answer_file(predictor, model, rows, folder / "predicted.jsonl"))

    def by_pipeline(batch_size: int, asked: Any) -> Callable[[int], float]:
        return lambda turn: timed(texts, lambda: pipe_file(asked, batch_size, rows, folder / "piped.jsonl"))

    ways = {
        "predict": by_predict(predictor, folder / "minilm"),
        "predict int8": by_predict(load_onnx(int8), int8),
        "pipeline": by_pipeline(BATCH, asked),
        "pipeline one by one": by_pipeline(1, asked),
    }
    if compute_type("bf16", "cpu") is torch.bfloat16:
        ways["predict bf16"] = by_predict(load(folder / "minilm", "cpu", "bf16"), folder / "minilm")
        ways["pipeline bf16"] = by_pipeline(BATCH, make_pipeline(backbone, torch.bfloat16))
    found = {name: np.array(rates) for name, rates in take_turns(ways, turns).items()}
    return {
        "texts": texts,
        "turns": turns,
        "ways": {
            name: {
                "per_second": float(np.median(rates)),
                "ratio": float(np.median(rates / found["pipeline"])),
                **({"interval": interval(rates / found["pipeline"])} if turns >= FEW else {}),
            }
            for name, rates in found.items()
        },
    }


def make_pipeline(backbone: str, dtype: torch.dtype = torch.float32) -> Any:
    """Return a classifying pipeline of transformers."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

    tokenizer = AutoTokenizer.from_pretrained(backbone, model_max_length=MAX_LENGTH)
    with quiet_transformers():
        classifier = AutoModelForSequenceClassification.from_pretrained(backbone, num_labels=len(CLASSES), dtype=dtype)
    return pipeline("text-classification", model=classifier.eval(), tokenizer=tokenizer, device=-1)


def pipe_file(asked: Any, batch_size: int, rows: Path, output: Path) -> None:
    """Answer a file by a pipeline."""
    with rows.open(encoding="utf-8", newline="") as file, output.open("w") as written:
        given = list(csv.DictReader(file))
        answers = asked([row["text"] for row in given], batch_size=batch_size, truncation=True)
        for row, answer in zip(given, answers, strict=True):
            written.write(json.dumps({**row, **answer}) + "\n")


def timed(texts: int, work: Callable[[], object]) -> float:
    """Return the texts a second of some work."""
    begun = time.perf_counter()
    work()
    return texts / (time.perf_counter() - begun)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000, help="Rows of the large file.")
    parser.add_argument("--few", type=int, default=10_000, help="Rows of the small file.")
    parser.add_argument("--texts", type=int, default=1024, help="Texts of which the speed is measured.")
    parser.add_argument("--turns", type=int, default=6)
    parser.add_argument("--model", type=Path, help="A trained model, for the memory.")
    parser.add_argument("--quick", action="store_true", help="At most a minute: 20,000 rows, 128 texts, two turns.")
    parser.add_argument("--measure", nargs=2, type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.measure:
        print(json.dumps(measure_peak(*given.measure)))
        return
    if given.quick:
        given.rows, given.few, given.texts, given.turns = 20_000, 5_000, 128, 2
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        memory = rounded(compare_memory(folder, (given.few, given.rows), given.model))
        speed = rounded(compare_speed(folder, given.texts, given.turns))
    few, many = f"{memory['MiB_few']:.0f} MiB for {given.few:,} rows", f"{memory['MiB']:.0f} MiB for {given.rows:,}"
    print(f"memory ({memory['model']}): {few}, {many}: {memory['ratio']:.2f} times (goal: {MEMORY_GOAL} at most)")
    print(f"speed (MiniLM, one task), times the pipeline of {BATCH} texts (goal: {SPEED_GOAL} at least):")
    for name, way in speed["ways"].items():
        bounds = f" [{way['interval'][0]:.2f}, {way['interval'][1]:.2f}]" if "interval" in way else ""
        print(f"{name:<20}{way['per_second']:>7.0f} texts/s{way['ratio']:>6.2f}{bounds}")
    print(json.dumps({"benchmark": "big_file", "memory": memory, "speed": speed} | setting()))


if __name__ == "__main__":
    main()
