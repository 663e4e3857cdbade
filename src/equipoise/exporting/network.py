"""The part of a model that becomes a graph."""

import io
import warnings
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path

import torch
from torch import Tensor, nn

from equipoise.errors import ModelError
from equipoise.modeling import Head, MultiTaskModel, is_decoder, plain_attention
from equipoise.onnx import answers_name, outputs_name

_OPSET = 17
_LARGEST = 2_000_000_000
"""Bytes of a graph in one file, at most: protobuf's limit is 2 GiB."""


class Network(nn.Module):
    """Backbone, pooling and all heads, from padded rows to predictions.

    Args:
        model: the model, all of whose heads read features or tokens.
        inputs: what it is given, in order: "input_ids", "attention_mask", and "token_type_ids" if it reads them.
    """

    def __init__(self, model: MultiTaskModel, inputs: Sequence[str]) -> None:
        super().__init__()
        self.model = model
        self.inputs = tuple(inputs)
        self._options = {"use_cache": False} if is_decoder(model.backbone.config) else {}

    @property
    def averaged(self) -> list[int]:
        """The numbers of the tasks whose outputs are averaged over the windows of a text."""
        tasks = enumerate(self.model.tasks.values()) if self.model.reads_windows else ()
        return [number for number, task in tasks if not task.has_token_head]

    @property
    def outputs(self) -> list[str]:
        """The names of what it returns."""
        answers = [answers_name(number) for number in range(len(self.model.tasks))]
        return answers + [outputs_name(number) for number in self.averaged]

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Answer for rows.

        Args:
            tensors: the inputs, each rows × tokens.

        Returns:
            For each task its predictions, rows in the first dimension; for one that reads tokens those for all places,
            (rows · tokens) × classes. Then, where texts are read in windows, the outputs they are made of.
        """
        model = self.model
        inputs = dict(zip(self.inputs, tensors, strict=True))
        hidden = model.extractor(**inputs, **self._options).last_hidden_state
        pooling = model.features.pooling
        assert pooling is not None  # there are heads
        features, tokens = pooling(hidden, inputs["attention_mask"]), hidden.flatten(0, 1)
        outputs = []
        for name, task in model.tasks.items():
            head = model.head(name)
            # A head that reads one token at a time does not ask how many a row has.
            outputs.append(head(tokens, tokens.new_zeros(0)) if task.has_token_head else head(features))
        answers = [model.head(name).predict(out) for name, out in zip(model.tasks, outputs, strict=True)]
        return (*answers, *(outputs[number] for number in self.averaged))


class Means(nn.Module):
    """From averaged outputs to predictions.

    Args:
        heads: the heads.
    """

    def __init__(self, heads: Sequence[Head]) -> None:
        super().__init__()
        self.heads = nn.ModuleList(heads)

    def forward(self, *outputs: Tensor) -> tuple[Tensor, ...]:
        """Return the predictions of each head."""
        return tuple(head.predict(out) for head, out in zip(self._heads(), outputs, strict=True))

    def _heads(self) -> list[Head]:
        return [head for head in self.heads if isinstance(head, Head)]


def write_network(network: Network, example: Sequence[Tensor], path: Path) -> None:
    """Write a network as a graph.

    Args:
        network: the network.
        example: what it reads for a few rows of different lengths.
        path: the file.

    Raises:
        ModelError: an operator of it cannot be written, or it is too large.
    """
    axes = {name: {0: "rows", 1: "tokens"} for name in network.inputs} | {name: {0: "rows"} for name in network.outputs}
    with plain_attention(network.model.backbone, 0):
        _write(network, example, network.inputs, network.outputs, axes, path)


def write_means(network: Network, outputs: Sequence[Tensor], path: Path) -> None:
    """Write what makes predictions of averaged outputs.

    Args:
        network: the network.
        outputs: what it returned for a few rows.
        path: the file.
    """
    heads = [network.model.head(list(network.model.tasks)[number]) for number in network.averaged]
    given = [outputs[network.outputs.index(outputs_name(number))] for number in network.averaged]
    sources, names = (tuple(map(name, network.averaged)) for name in (outputs_name, answers_name))
    axes = {name: {0: "texts"} for name in (*sources, *names)}
    _write(Means(heads), given, sources, names, axes, path)


def _write(
    module: nn.Module,
    example: Sequence[Tensor],
    inputs: Sequence[str],
    outputs: Sequence[str],
    axes: dict[str, dict[int, str]],
    path: Path,
) -> None:
    size = sum(tensor.numel() * tensor.element_size() for tensor in module.parameters())
    if size > _LARGEST:
        raise ModelError(
            f"model: its weights take {size:,} bytes, expected {_LARGEST:,} at most, which one ONNX file can hold; "
            "choose a smaller backbone."
        )
    try:
        # The exporter that traces: it writes more architectures than the one by torch.export (2.13), BiLSTMs too.
        with torch.inference_mode(), warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            torch.onnx.export(
                module.eval(),
                tuple(example),
                str(path),
                dynamo=False,
                opset_version=_OPSET,
                input_names=list(inputs),
                output_names=list(outputs),
                dynamic_axes=axes,
            )
    except Exception as error:  # an architecture meets whatever it meets
        reason = (str(error).strip().splitlines() or [""])[0][:200]
        raise ModelError(
            f"model: {type(error).__name__}: it cannot be written as ONNX ({reason}); choose another backbone, such as "
            "minilm."
        ) from error
