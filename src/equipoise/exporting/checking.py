"""Whether a graph computes what the model does, on texts."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor

from equipoise.data import pad_rows
from equipoise.errors import ModelError
from equipoise.files import read_bytes
from equipoise.modeling import MultiTaskModel
from equipoise.onnx import (
    GRAPH,
    MEANS,
    RowReader,
    TextTokenizer,
    TokenizerFacts,
    open_graph,
    outputs_name,
    predict_means,
)
from equipoise.starter import find_starter_folder, is_fetched

from .network import Network

TOLERANCE = 1e-4
_TEXTS = 60
_TOKENS = ("input_ids", "token_type_ids", "text_start", "offsets")
_BATCHES = (1, 2, 8, 16)
"""Rows of the batches, over and over."""
_EXAMPLES = (
    "Fast delivery, poor fit.",
    "The plot is thin, but I loved every minute of it.",
    "no",
    "Arrived late, and the box was crushed. I wrote to the shop twice and nobody answered; in the end my bank "
    "helped. Never again, whatever the price is.",
    "Sales rose 12.5 % to $3.4bn, above what analysts had expected for the quarter.",
    "@anna that made my day :-) #thanks 😀",
    "Trop cher pour ce que c’est, et le café était froid. Schade! 太贵了。",
)


def gather_texts() -> list[str]:
    """Return texts to check by: real ones of the starter corpus, if it was fetched, and sentences of our own."""
    found: list[str] = []
    if is_fetched("vader"):
        lines = read_bytes(find_starter_folder("vader") / "corpus.jsonl", 100_000_000).splitlines()
        found = [str(json.loads(line)["text"]) for line in lines[:: max(1, len(lines) // _TEXTS)]]
    return [*_EXAMPLES, *found, " ".join(_EXAMPLES * 4)]


def make_rows(model: MultiTaskModel, tokenizer: TextTokenizer, facts: TokenizerFacts) -> list[dict[str, Any]]:
    """Encode texts as the model does, with a second text where one of its tasks reads one; all windows.

    Args:
        model: the model.
        tokenizer: its tokenizer, as it is read without transformers.
        facts: what belongs to it.

    Raises:
        ModelError: that tokenizer gives other tokens.
    """
    texts = [*gather_texts(), " ".join(model.tokenizer.all_special_tokens)]
    paired = [task.pair is not None for task in model.tasks.values()]
    pairs: list[str | None] = [None] * (len(texts) if False in paired else 0)
    if True in paired:
        # In a window a pair must leave room for the text.
        pairs += ["film"] * len(texts) if model.reads_windows else [texts[-1], *texts[:-1]]
    texts = texts * (len(pairs) // len(texts))
    dataset = Dataset.from_dict({"text": texts, "pair": pairs})
    rows = model.encode_rows(dataset, {})[0].to_list()
    reader = RowReader(tokenizer, facts, model.max_length, windows=model.reads_windows, offsets=_reads_tokens(model))
    # Windows behind the first ones stand behind all rows.
    expected = [_pick(row) for row in sorted(rows, key=lambda row: row["index"])]
    found, _ = reader.encode(texts, pairs)
    if [_pick(row.tokens) for row in found] != expected:
        raise ModelError(
            f"model: its tokenizer ({type(model.tokenizer).__name__}) gives other tokens than its tokenizer.json, "
            "which is read where there is no transformers; choose another backbone, such as minilm."
        )
    return rows


def _pick(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in _TOKENS if name in row}


def _reads_tokens(model: MultiTaskModel) -> bool:
    return any(task.reads_tokens for task in model.tasks.values())


def check_graphs(network: Network, rows: Sequence[dict[str, Any]], folder: Path) -> dict[str, float]:
    """Compare the graphs in a folder with the network they were made of.

    Args:
        network: the network, on the CPU.
        rows: what `make_rows` returned.
        folder: holds the graphs.

    Returns:
        For each task the largest difference; see `compare`.
    """
    batches: list[dict[str, Tensor]] = []
    start = 0
    while start < len(rows):
        size = _BATCHES[len(batches) % len(_BATCHES)]
        batches.append(pad_rows(rows[start : start + size], network.model.tokenizer))
        start += size
    means = open_graph(folder / MEANS) if network.averaged else None
    return compare(network, batches, open_graph(folder / GRAPH), means)


def compare(
    network: Network, batches: Sequence[Mapping[str, Tensor]], graph: Any, means: Any | None
) -> dict[str, float]:
    """Return for each task the largest difference between the network's predictions and those of its graph.

    Differences of scores are divided by the largest score, where that is above 1, since scores have units.

    Args:
        network: the network, on the CPU.
        batches: what it reads.
        graph: its graph, opened.
        means: what makes predictions of averaged outputs, opened; None where nothing is averaged.
    """
    taken = {one.name for one in graph.get_inputs()}
    largest = dict.fromkeys(network.model.tasks, 0.0)
    for batch in batches:
        with torch.inference_mode():
            expected = network(*(batch[name] for name in network.inputs))
        found = graph.run(network.outputs, {name: batch[name].numpy() for name in taken})
        for number, name in enumerate(network.model.tasks):
            differences = [_difference(expected[number], found[number])]
            if number in network.averaged and means is not None:
                place = network.outputs.index(outputs_name(number))
                differences.append(_difference(expected[place], found[place]))
                differences.append(_difference(expected[number], predict_means(means, number, found[place])))
            largest[name] = max(largest[name], *differences)
    return largest


def _difference(expected: Tensor, found: Any) -> float:
    truth = expected.numpy()
    if truth.shape != found.shape:
        return float("inf")
    scale = max(1.0, float(np.abs(truth).max(initial=0.0)))
    difference = float(np.abs(truth - found).max(initial=0.0)) / scale
    return difference if np.isfinite(difference) else float("inf")


def refuse_differences(largest: Mapping[str, float]) -> None:
    """Refuse a graph that computes something else than the model.

    Raises:
        ModelError: it does; the message names the task.
    """
    worst = max(largest, key=largest.__getitem__)
    if not largest[worst] <= TOLERANCE:
        raise ModelError(
            f"task '{worst}': the exported graph's predictions differ from the model's by {largest[worst]:.2g}, "
            f"expected {TOLERANCE:g} at most; nothing was written. Choose another backbone, such as minilm."
        )
