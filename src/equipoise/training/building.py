"""From the run file and the table to the model and its rows."""

from collections.abc import Sequence

import numpy as np
from datasets import Dataset
from transformers import PreTrainedModel, set_seed

from equipoise.config import RunConfig, TrainConfig
from equipoise.data import ChatStyle, Table
from equipoise.errors import ModelError
from equipoise.kinds import Task
from equipoise.modeling import (
    MultiTaskModel,
    add_adapter,
    freeze_embeddings,
    freeze_layers,
    load_backbone,
    round_weights,
)
from equipoise.precision import PURE_BF16


def build_model(config: RunConfig, table: Table) -> MultiTaskModel:
    """Load the backbone, freeze what the run file freezes, and put new heads on it.

    Args:
        config: the run file.
        table: the table, for the tasks and, where the backbone starts from nothing, the vocabulary.

    Raises:
        ModelError: the backbone cannot be loaded, or cannot do what the run file asks.
        UsageError: a question does not fit.
    """
    settings = config.train
    prompted = any(task.is_prompted for task in table.tasks.values())
    # Before and after: a new backbone draws its first weights, and whatever loading draws changes no head's.
    set_seed(settings.seed)
    # No other model reads them, and gathering them takes memory.
    texts = table.texts("train") if config.model == "bilstm" else ()
    backbone, tokenizer = load_backbone(config.model, texts, language_model=prompted, quantization=config.quantization)
    set_seed(settings.seed)
    if config.lora is not None:
        add_adapter(backbone, **config.lora.model_dump(), above=settings.freeze_layers)
    else:
        freeze_parts(backbone, settings)
    if settings.precision == PURE_BF16:
        round_weights(backbone)
    use_checkpointing(backbone, settings)
    style = ChatStyle(**config.prompt.model_dump())
    model = MultiTaskModel(
        backbone, tokenizer, table.tasks, config.max_length, pooling=config.pooling, style=style, base=config.model
    )
    return model.with_long_texts(config.long_texts)


def freeze_parts(backbone: PreTrainedModel, settings: TrainConfig) -> None:
    """Leave the layers or word embeddings of a backbone as they are that a run file says."""
    if settings.freeze_layers:
        freeze_layers(backbone, settings.freeze_layers)
    elif settings.freeze_embeddings:
        freeze_embeddings(backbone)


def use_checkpointing(backbone: PreTrainedModel, settings: TrainConfig) -> None:
    """Have a backbone compute its activations again in the backward pass, where a run file says so.

    Raises:
        ModelError: it cannot.
    """
    if not settings.gradient_checkpointing:
        return
    if not backbone.supports_gradient_checkpointing:
        raise ModelError(
            f"train.gradient_checkpointing: {type(backbone).__name__} cannot compute its activations again; leave "
            "it out."
        )
    backbone.gradient_checkpointing_enable({"use_reentrant": False})


def encode_table(table: Table, model: MultiTaskModel, kept: Sequence[str] = ()) -> tuple[dict[str, Dataset], list[str]]:
    """Turn all splits into what the model reads.

    Args:
        table: the table.
        model: the model.
        kept: further tasks of the model, which answer for every training row.

    Returns:
        The rows by split, and notes on texts that are too long.
    """
    rows, notes = {}, []
    for split, dataset in table.splits.items():
        learning = split == "train"
        wanted = {name: table.rows(name, split) for name in (table.tasks if learning else table.scored)}
        if learning:
            wanted |= dict.fromkeys(kept, np.arange(len(dataset)))
        rows[split], long = model.encode_rows(dataset, wanted, learning=learning)
        if long:
            fate = "are cut"
            if model.reads_windows:
                fate = f"are read in {len(rows[split]) - len(dataset) + long} windows"
            elif model.long_texts == "windows":
                fate += ", since a model with tasks in the format prompt reads no windows"
            notes.append(
                f"{split}: {long} of {len(dataset)} texts do not fit into {model.max_length} tokens and {fate}."
            )
            if not model.reads_windows:
                notes += _count_cut(rows[split], [table.tasks[name] for name in wanted if name in table.tasks], split)
    return rows, notes


def _count_cut(rows: Dataset, tasks: Sequence[Task], split: str) -> list[str]:
    """Say what heads on tokens cannot find, because it stands where texts are cut."""
    notes = []
    for task in tasks:
        if task.has_token_head:
            columns = rows.select_columns(["text", "offsets", f"label:{task.name}"])[:]
            cut = sum(
                task.count_cut(label, text, np.reshape(offsets, (-1, 2)))
                for text, offsets, label in zip(*columns.values(), strict=True)
                if label is not None
            )
            if cut:
                notes.append(
                    f"Task '{task.name}', {split}: {cut} {task.counted} stand in what is cut off; they count as missed."
                    " Raise max_length, or have all of a text read (long_texts: windows)."
                )
    return notes
