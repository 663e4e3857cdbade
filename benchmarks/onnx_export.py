"""An exported model against PyTorch: parity, texts a second, start-up to the first answer, size on disk.

A MiniLM encoder with three heads of random weights is exported in fp32 and in int8. All ways answer the same texts, in
turns, on as many threads; ratios are to PyTorch, with 95 % bootstrap intervals over turns. Start-up is the time of
`equipoise predict` in a process of its own, from its start to the answer for one text.

    python benchmarks/onnx_export.py [--quick] [--model FOLDER] [--texts 512] [--turns 12]

`--model` takes a trained model's folder, or that of its run.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from equipoise.exporting import export_onnx
from equipoise.kinds import Classification, Regression
from equipoise.modeling import MultiTaskModel, load, load_backbone
from equipoise.onnx import load_onnx
from measuring import interval, number, rounded, take_turns

_WORDS = ("hotel", "was", "great", "breakfast", "too", "late", "small", "room,", "never", "again", "price", "7/10")
TASKS = {
    "stars": Regression("stars", "s", "text", None, "stars", "pearson", (1.0, 5.0), mean=3.0, std=1.2),
    "tone": Classification("tone", "s", "text", None, "label", "macro_f1", ("bad", "so so", "good")),
    "topic": Classification("topic", "s", "text", None, "label", "macro_f1", tuple("abcde")),
}


def make_texts(count: int) -> list[str]:
    """Draw texts of 4 to 60 words; always the same."""
    draw = np.random.default_rng(0)
    return [" ".join(draw.choice(_WORDS, size=size)) for size in draw.integers(4, 61, count)]


def make_model(folder: Path, base: str) -> Path:
    """Save a model with three heads."""
    torch.manual_seed(0)
    MultiTaskModel(*load_backbone(base), TASKS, 128).eval().save_pretrained(folder)
    return folder


def size_of(folder: Path) -> float:
    """Return the size of a folder in MB."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def measure_speed(ways: dict[str, Any], texts: Sequence[str], turns: int) -> dict[str, dict[str, Any]]:
    """Return texts a second of each way, and its ratio to PyTorch with the interval."""

    def answer(predictor: Any) -> Any:
        def once(turn: int) -> float:
            began = time.perf_counter()
            predictor.predict(list(texts))
            return len(texts) / (time.perf_counter() - began)

        return once

    calls = {name: answer(predictor) for name, predictor in ways.items()}
    for call in calls.values():
        call(0)
    found = take_turns(calls, turns)
    speeds = {name: np.array(values) for name, values in found.items()}
    return {
        name: {
            "texts_per_second": float(np.median(values)),
            "ratio": float(np.median(values / speeds["torch"])),
            "interval": list(interval(values / speeds["torch"])),
        }
        for name, values in speeds.items()
    }


def measure_start(folders: dict[str, Path], turns: int) -> dict[str, dict[str, Any]]:
    """Return the seconds of a process that answers one text, and how many times as fast as PyTorch's it is."""

    def start(folder: Path) -> Any:
        def once(turn: int) -> float:
            began = time.perf_counter()
            command = [sys.executable, "-m", "equipoise", "predict", str(folder), "Fast delivery, poor fit."]
            subprocess.run(command, check=True, capture_output=True)
            return time.perf_counter() - began

        return once

    found = take_turns({name: start(folder) for name, folder in folders.items()}, turns)
    seconds = {name: np.array(values) for name, values in found.items()}
    return {
        name: {"seconds": float(np.median(values)), "times_as_fast": float(np.median(seconds["torch"] / values))}
        for name, values in seconds.items()
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print tables and JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few texts and turns")
    parser.add_argument("--model", type=Path, help="a trained model; default: heads with random weights")
    parser.add_argument("--base", default="minilm", help="its backbone, without --model")
    parser.add_argument("--texts", type=int)
    parser.add_argument("--turns", type=int)
    chosen = parser.parse_args(arguments)
    texts = make_texts(chosen.texts or (64 if chosen.quick else 512))
    turns = chosen.turns or (3 if chosen.quick else 12)
    torch.set_num_threads(int(os.environ.setdefault("OMP_NUM_THREADS", "1")))
    with tempfile.TemporaryDirectory() as place:
        trained = chosen.model or make_model(Path(place) / "model", chosen.base)
        fp32 = export_onnx(trained, Path(place) / "fp32")
        int8 = export_onnx(trained, Path(place) / "int8", int8=True)
        model = trained / "model" if (trained / "model").is_dir() else trained
        folders = {"torch": model, "onnx fp32": fp32.folder, "onnx int8": int8.folder}
        ways = {"torch": load(model, "cpu"), "onnx fp32": load_onnx(fp32.folder), "onnx int8": load_onnx(int8.folder)}
        result = {
            "parity": {"fp32": fp32.differences, "int8": int8.int8_differences},
            "losses": [{"task": one.task, "fp32": one.fp32, "int8": one.int8} for one in int8.losses],
            "speed": measure_speed(ways, texts, turns),
            "start": measure_start(folders, 2 if chosen.quick else 5),
            "megabytes": {name: size_of(folder) for name, folder in folders.items()},
        }
    for name in folders:
        speed, start = result["speed"][name], result["start"][name]
        print(
            f"{name:10} {number(speed['texts_per_second'])} texts/s, {speed['ratio']:.2f} × "
            f"[{speed['interval'][0]:.2f}, {speed['interval'][1]:.2f}]; first answer {start['seconds']:.1f} s "
            f"({start['times_as_fast']:.1f} × as fast); {result['megabytes'][name]:.0f} MB"
        )
    for name, differences in result["parity"].items():
        print(f"largest difference, {name}: " + ", ".join(f"{task} {value:.1e}" for task, value in differences.items()))
    print(json.dumps(rounded(result)))


if __name__ == "__main__":
    main()
