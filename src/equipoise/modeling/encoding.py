"""The features of many texts."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from datasets import Dataset
from torch import Tensor

from equipoise.data import FlatRows, pad_rows
from equipoise.progress import Progress

from .backbone import hidden_width
from .evaluating import evaluating, longest_first
from .model import MultiTaskModel


def encode_texts(
    model: MultiTaskModel, dataset: Dataset, batch_size: int, bar: Progress | None = None
) -> npt.NDArray[np.float64]:
    """Return what heads read of texts: the pooled features, longest texts first; of one in windows those of the first.

    Args:
        model: the model, whose tasks are all in the format `head`; its mode is put back afterwards.
        dataset: rows with the columns "text" and "pair" (None: one text).
        batch_size: rows in a batch; changes the speed, not the features (up to rounding).
        bar: moved by the rows done.

    Returns:
        rows × width.
    """
    rows = FlatRows(model.encode_rows(dataset, {}, windows=False)[0])
    found = np.empty((len(rows), hidden_width(model.backbone)))
    kept: list[Tensor] = []
    hook = model.features.register_forward_hook(lambda module, given, features: kept.append(features))
    try:
        with evaluating(model), torch.inference_mode():
            for chosen in longest_first(np.arange(len(rows)), rows.lengths("input_ids"), batch_size, bar):
                inputs: dict[str, Any] = pad_rows(rows.take(chosen), model.tokenizer)
                model({name: tensor.to(model.device) for name, tensor in inputs.items()}, {})
                found[chosen] = kept.pop().cpu().double().numpy()
    finally:
        hook.remove()
    return found
