"""From rows to a batch."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase

from equipoise.tasks import Regression, Task


class Collator:
    """Pad rows to the longest of them and gather each task's labels.

    Args:
        tokenizer: pads, on its own side and with its own token.
        tasks: the tasks by name.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, tasks: Mapping[str, Task]) -> None:
        self._tokenizer = tokenizer
        self._types = {
            name: torch.float32 if isinstance(task, Regression) else torch.long for name, task in tasks.items()
        }

    def __call__(self, items: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Make a batch of rows that `tokenise` returned.

        Returns:
            - "inputs": "input_ids", "attention_mask" and, if the tokenizer makes them, "token_type_ids", each
              of shape (rows, tokens);
            - "rows": for each task the rows of the batch that carry its label;
            - "targets": for each task the labels of these rows, float32 in the user's units for regression,
              int64 class index for classification; both are empty where the batch has none;
            - "index": each row's number in its split.
        """
        features = {
            name: [item[name] for item in items] for name in ("input_ids", "token_type_ids") if name in items[0]
        }
        inputs = self._tokenizer.pad(
            features, padding="longest", return_attention_mask=True, return_tensors="pt", verbose=False
        )
        rows: dict[str, torch.Tensor] = {}
        targets: dict[str, torch.Tensor] = {}
        for task, dtype in self._types.items():
            labels = [item.get(f"label:{task}") for item in items]
            kept = [row for row, label in enumerate(labels) if label is not None]
            rows[task] = torch.tensor(kept, dtype=torch.long)
            targets[task] = torch.tensor([labels[row] for row in kept], dtype=dtype)
        index = torch.tensor([item["index"] for item in items], dtype=torch.long)
        return {"inputs": dict(inputs), "rows": rows, "targets": targets, "index": index}
