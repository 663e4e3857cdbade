"""What is written into the folder of an exported model."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import torch

from equipoise.data import pad_rows
from equipoise.digests import digest_folder
from equipoise.files import to_json
from equipoise.modeling import MultiTaskModel
from equipoise.onnx import GRAPH, MARK, MEANS, ONNX_FORMAT, TOKENIZER, ExportFacts, TextTokenizer, TokenizerFacts

from .checking import make_rows
from .network import Network, write_means, write_network

_EXAMPLES = 3
"""Rows by which a network is traced."""


def write_graphs(model: MultiTaskModel, folder: Path) -> tuple[Network, list[dict[str, Any]]]:
    """Write a model's tokenizer and graphs.

    Args:
        model: the model, on the CPU, without an adapter.
        folder: the folder.

    Returns:
        The network, and rows to check the graphs by.

    Raises:
        ModelError: the network, or the tokenizer, cannot be written.
    """
    (folder / TOKENIZER).write_text(model.tokenizer.backend_tokenizer.to_str(pretty=True), encoding="utf-8")
    facts = _describe_tokenizer(model)
    rows = make_rows(model, TextTokenizer.read(folder / TOKENIZER, facts), facts)
    example = pad_rows(rows[:_EXAMPLES], model.tokenizer)
    network = Network(model, list(example)).eval()
    tensors = tuple(example.values())
    write_network(network, tensors, folder / GRAPH)
    if network.averaged:
        with torch.inference_mode():
            outputs = network(*tensors)
        write_means(network, outputs, folder / MEANS)
    return network, rows


def _describe_tokenizer(model: MultiTaskModel) -> TokenizerFacts:
    tokenizer = model.tokenizer
    return TokenizerFacts(
        type_ids="token_type_ids" in tokenizer.model_input_names,
        padding_side=tokenizer.padding_side,
        truncation_side=tokenizer.truncation_side,
        pad_id=tokenizer.pad_token_id,
        pad_type_id=tokenizer.pad_token_type_id,
    )


def write_facts(model: MultiTaskModel, folder: Path, precision: Literal["fp32", "int8"]) -> None:
    """Write `onnx.json`, last: what the model answers for, how it reads texts, and the digests of the other files.

    Args:
        model: the model.
        folder: the folder.
        precision: of the graph that lies there.
    """
    (folder / MARK).unlink(missing_ok=True)
    facts = ExportFacts(
        format_version=ONNX_FORMAT,
        max_length=model.max_length,
        long_texts="windows" if model.reads_windows else "cut",
        precision=precision,
        tokenizer=_describe_tokenizer(model),
        tasks={name: task.to_dict() for name, task in model.tasks.items()},
        files=digest_folder(folder),
    )
    (folder / MARK).write_text(to_json(facts.model_dump(), indent=2) + "\n", encoding="utf-8")


def quantize(folder: Path) -> None:
    """Hold the matrices of the graph in 8 bits: dynamic quantization of onnxruntime, with a scale per column.

    Args:
        folder: the folder of an exported model.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    smaller = folder / f"{GRAPH}.int8"
    with _without_warnings():  # it recommends a preparation that brings nothing here
        quantize_dynamic(folder / GRAPH, smaller, per_channel=True, weight_type=QuantType.QInt8)
    os.replace(smaller, folder / GRAPH)


@contextmanager
def _without_warnings() -> Iterator[None]:
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
