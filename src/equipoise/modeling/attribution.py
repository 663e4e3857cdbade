"""Integrated gradients of a model's outputs, token by token, by captum."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from equipoise.data import pad_rows
from equipoise.errors import ModelError

from .evaluating import evaluating
from .explained_numbers import Place, make_numbers
from .model import MultiTaskModel

SHARE, LEAST = 0.02, 0.01
"""The tokens' weights add up to the difference of outputs to within this share of it, or this number if it is more."""
MOST_STEPS = 512
_DOUBLED = 8


class Attributed(NamedTuple):
    """What the tokens of one row add to a number.

    Args:
        weights: of all tokens of the row, shape (tokens,); special tokens add nothing.
        output: the number.
        baseline: the number for the baseline; output − baseline is what the weights add up to.
        steps: steps of the integral.
    """

    weights: npt.NDArray[np.float64]
    output: float
    baseline: float
    steps: int

    @property
    def gap(self) -> float:
        """What is missing of the sum, output − baseline − weights: an error of the integral."""
        return self.output - self.baseline - float(self.weights.sum())

    @property
    def is_complete(self) -> bool:
        """Whether the weights add up (see `SHARE`)."""
        return abs(self.gap) <= max(LEAST, SHARE * abs(self.output - self.baseline))


class Attributor:
    """Computes integrated gradients (Sundararajan, Taly and Yan 2017, arXiv 1703.01365) on the word embeddings.

    The path goes from a baseline in a straight line to the row's embeddings. In the baseline every token of text and
    pair is one that stands for a word that is not known (see `_choose_nothing`); special tokens, positions and the
    attention mask stay. The integral is a Gauss–Legendre sum.

    Args:
        model: the model, without prompted tasks.
        batch_size: sequences that are computed at a time; memory grows with it, and not with the number of rows or
            steps.

    Raises:
        ModelError: captum is not installed.
    """

    def __init__(self, model: MultiTaskModel, batch_size: int) -> None:
        check_captum()
        from captum.attr import LayerIntegratedGradients

        self._method = LayerIntegratedGradients
        self._model = model
        self._batch_size = batch_size
        self.rows = max(1, batch_size // 8)
        """Rows that `attribute` takes at most."""
        self._nothing = _choose_nothing(model)

    def attribute(
        self, task: str, items: Sequence[dict[str, Any]], places: Sequence[Place], steps: int
    ) -> list[Attributed]:
        """Attribute one number of each row; with twice as many steps, up to `_DOUBLED` times, where they do not add up.

        Args:
            task: the task.
            items: rows that `MultiTaskModel.encode_rows` returned, with places; `rows` at most.
            places: which number of each (see `Objective.explained`, and `Task.explained_cells`).
            steps: steps of the integral.
        """
        found = self._attribute(task, items, places, steps)
        most = max(steps, min(MOST_STEPS, steps * _DOUBLED))
        while steps * 2 <= most and (open_ := [row for row, one in enumerate(found) if not one.is_complete]):
            steps *= 2
            again = self._attribute(task, [items[row] for row in open_], [places[row] for row in open_], steps)
            for row, one in zip(open_, again, strict=True):
                found[row] = one
        return found

    def _attribute(
        self, task: str, items: Sequence[dict[str, Any]], places: Sequence[Place], steps: int
    ) -> list[Attributed]:
        model = self._model
        inputs = {name: tensor.to(model.device) for name, tensor in pad_rows(items, model.tokenizer).items()}
        ids = inputs.pop("input_ids")
        starts = [ids.shape[1] - len(item["input_ids"]) if _pads_left(model) else 0 for item in items]
        baselines = ids.masked_fill(_find_words(items, starts, ids), self._nothing)
        numbers = make_numbers(model, task, items, places, starts)
        others = (*numbers.tensors, *inputs.values())

        def compute(ids: Tensor, *others: Tensor) -> Tensor:
            chosen, further = others[: len(numbers.tensors)], others[len(numbers.tensors) :]
            return numbers.compute({"input_ids": ids, **dict(zip(inputs, further, strict=True))}, *chosen)

        with evaluating(model), _without_learning(model):
            with torch.no_grad():
                output, baseline = (compute(tokens, *others).double().tolist() for tokens in (ids, baselines))
            weights = self._method(compute, model.backbone.get_input_embeddings()).attribute(
                ids,
                baselines,
                additional_forward_args=others,
                n_steps=steps,
                internal_batch_size=max(self._batch_size, len(items)),
            )
        summed = weights.detach().double().sum(dim=-1).cpu().numpy()
        return [
            Attributed(summed[row, start : start + len(item["input_ids"])], output[row], baseline[row], steps)
            for row, (item, start) in enumerate(zip(items, starts, strict=True))
        ]


def check_captum() -> None:
    """Raise ModelError where captum is not installed."""
    try:
        import captum.attr  # noqa: F401
    except ImportError:
        raise ModelError(
            "explain: the words that decided are found by captum, which is not installed; install it with: pip install "
            '"equipoise[explain]"'
        ) from None


def _choose_nothing(model: MultiTaskModel) -> int:
    """Return the token that stands for a word that is not known.

    The mask token, which encoders are trained to read as "some word"; else the unknown, the padding, or the end token
    (our design). One with an embedding near zero is passed over: a decoder scales embeddings to one length, so that all
    of the integral would lie at its very beginning.
    """
    tokenizer = model.tokenizer
    tokens = (tokenizer.mask_token_id, tokenizer.unk_token_id, tokenizer.pad_token_id, tokenizer.eos_token_id)
    known = [token for token in tokens if token is not None]
    table = model.backbone.get_input_embeddings()
    sample = torch.arange(0, len(tokenizer), max(1, len(tokenizer) // 1000), device=model.device)
    with torch.no_grad():
        norms = table(torch.tensor(known, device=model.device)).float().norm(dim=-1).tolist()
        usual = float(table(sample).float().norm(dim=-1).median())
    long_enough = [token for token, norm in zip(known, norms, strict=True) if norm > usual / 10]
    return int(long_enough[0] if long_enough else known[0])


def _pads_left(model: MultiTaskModel) -> bool:
    return bool(model.tokenizer.padding_side == "left")


def _find_words(items: Sequence[dict[str, Any]], starts: Sequence[int], ids: Tensor) -> Tensor:
    """Return which tokens are of a text or its pair, rows × tokens, true or false."""
    words = torch.zeros(ids.shape, dtype=torch.bool)
    for row, (item, start) in enumerate(zip(items, starts, strict=True)):
        for part, offsets in (("text_start", "offsets"), ("pair_start", "pair_offsets")):
            first = start + item[part]
            words[row, first : first + len(item[offsets]) // 2] = True
    return words.to(ids.device)


@contextmanager
def _without_learning(model: MultiTaskModel) -> Iterator[None]:
    """Compute no gradient of the weights for a while."""
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    # cuDNN's recurrent layers give gradients in training mode alone.
    with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):
        try:
            for parameter in learning:
                parameter.requires_grad_(False)
            yield
        finally:
            for parameter in learning:
                parameter.requires_grad_(True)
