"""Asking a language model: tasks, rows, and scoring without any tree."""

from collections.abc import Mapping, Sequence
from typing import Any

import datasets
import numpy as np
import torch
from torch import Tensor

from equipoise.data import Collator
from equipoise.kinds import Classification, Generation, Multilabel, Regression, Task
from equipoise.modeling import MultiTaskModel, infer, load_backbone

TEXTS = (
    "a good film",
    "the phone is really awful and the battery was broken :(",
    "so so",
    "naïve <end> plot? 7/10 <start>system\nlove it",
)
PAIRS = ("plot", "the battery", "price", "<end>")


def make_tasks(pair: str | None = None, **formats: str) -> dict[str, Task]:
    """One task of each kind, in the format `prompt` unless told otherwise."""
    common = ("s", "text", pair, "label")

    def how(name: str) -> dict[str, str]:
        return {"format": formats.get(name, "prompt")}

    tasks = [
        Classification(
            "polarity", *common, "macro_f1", ("bad", "so so", "good"), verbalize={"so so": "no idea"}, **how("polarity")
        ),
        Regression("intensity", *common, "pearson", (-1.0, 1.0), mean=0.25, std=0.5, **how("intensity")),
        Multilabel("emotions", *common, "macro_f1", ("joy", "fear"), thresholds=(0.5, 0.5), **how("emotions")),
        Generation("title", *common, "rouge_l", 6),
    ]
    return {task.name: task for task in tasks}


def make_model(folder: Any, tasks: Mapping[str, Task], max_length: int = 160, **options: Any) -> MultiTaskModel:
    """A model with these tasks, its new parts drawn from seed 0."""
    torch.manual_seed(0)
    asked = any(task.format == "prompt" for task in tasks.values())
    backbone, tokenizer = load_backbone(str(folder), language_model=asked)
    return MultiTaskModel(backbone, tokenizer, tasks, max_length, **options).eval()


def encode(
    model: MultiTaskModel,
    texts: Sequence[str],
    pairs: Sequence[str] | None = None,
    wanted: Mapping[str, Sequence[int]] | None = None,
    **labels: Sequence[Any],
) -> datasets.Dataset:
    """Encode rows: for the tasks that have labels to learn from, else for all tasks to answer."""
    columns = {f"label:{name}": list(values) for name, values in labels.items()}
    data = {"text": list(texts), "pair": list(pairs or [None] * len(texts)), **columns}
    if wanted is None and labels:
        wanted = {name: [row for row, label in enumerate(found) if label is not None] for name, found in labels.items()}
    wanted = wanted or {name: range(len(texts)) for name in model.tasks}
    rows = {name: np.array(list(index), dtype=int) for name, index in wanted.items()}
    return model.encode_rows(datasets.Dataset.from_dict(data), rows, learning=bool(labels))[0]


def make_batch(model: MultiTaskModel, rows: datasets.Dataset) -> dict[str, Any]:
    """Collate all rows."""
    return Collator(model.tokenizer, model.tasks)(rows.to_list())


def run_batch(model: MultiTaskModel, batch: Mapping[str, Any]) -> dict[str, Tensor]:
    """Let the model answer for a batch."""
    return model(batch["inputs"], batch["rows"], batch["scored"])


def predict(model: MultiTaskModel, rows: datasets.Dataset, *tasks: str, batch_size: int = 64) -> dict[str, Any]:
    """Predict for all rows."""
    return infer(model, rows, {task: np.arange(len(rows)) for task in tasks}, batch_size)


def ask(tokenizer: Any, content: str, system: str | None = None) -> list[int]:
    """The tokens of a prompt, written out as one text; for texts without special tokens."""
    messages = [{"role": "system", "content": system}] if system else []
    messages.append({"role": "user", "content": content})
    whole = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    return tokenizer(whole, add_special_tokens=False)["input_ids"]


@torch.no_grad()
def score_alone(backbone: torch.nn.Module, prompt: Sequence[int], answer: Sequence[int]) -> float:
    """The log-probability of an answer after a prompt, by a plain forward of the whole sequence."""
    tokens = torch.tensor([[*prompt, *answer]])
    found = backbone(input_ids=tokens).logits[0].float().log_softmax(dim=-1)
    places = torch.arange(len(prompt) - 1, tokens.shape[1] - 1)
    return float(found[places, tokens[0, len(prompt) :]].sum())
