"""Rival rows of the table for which the base language model is asked, untrained: `zero_shot` and `few_shot`."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import numpy.typing as npt
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from equipoise.config import RunConfig
from equipoise.data import ChatStyle, PromptEncoder, Table, choose_demonstrations, demonstrate, order_demonstrations
from equipoise.errors import UsageError
from equipoise.kinds import Task
from equipoise.modeling import (
    MultiTaskModel,
    count_work,
    has_adapter,
    infer,
    is_decoder,
    load_backbone,
    longest_input,
    reads_trees,
    without_adapter,
)
from equipoise.progress import progress

from .baselines import PROMPTED
from .records import Record
from .splits import score_predictions


def without_prompted(config: RunConfig) -> RunConfig:
    """Return a run file without the rivals for which a language model is asked."""
    rivals = tuple(name for name in config.evaluation.baselines if name not in PROMPTED)
    return config.model_copy(update={"evaluation": config.evaluation.model_copy(update={"baselines": rivals})})


def check_prompted(model: MultiTaskModel, table: Table, config: RunConfig) -> None:
    """Make sure that there is a language model to ask, where the run file wants one asked.

    Raises:
        UsageError, ModelError: see `choose_prompted`.
    """
    if any(name in PROMPTED for name in config.evaluation.baselines):
        choose_prompted(model.backbone, model.tokenizer, table, config)


def score_prompted(
    model: MultiTaskModel, table: Table, config: RunConfig, splits: Sequence[str]
) -> tuple[list[Record], list[str]]:
    """Score the base language model on splits of a table, once for each rival that the run file wants asked.

    The base is the run's own: its adapter is left out, or, where it has none, it is loaded again. See
    `predict_prompted`.

    Args:
        model: the trained model.
        table: the table.
        config: the run file: rivals, shots, resamples, seed.
        splits: the splits to score.

    Returns:
        The records, and sentences on what could not be asked or shown.

    Raises:
        UsageError: the backbone is no decoder.
        ModelError: the base cannot be loaded, or cannot be asked.
    """
    rivals = [name for name in config.evaluation.baselines if name in PROMPTED]
    if not rivals:
        return [], []
    asked, notes = choose_prompted(model.backbone, model.tokenizer, table, config)
    records: list[Record] = []
    if not asked.tasks:
        return records, notes
    with _base(model, config) as backbone:
        for rival in rivals:
            predictions, left_out = predict_prompted(backbone, model.tokenizer, asked, config, rival, splits)
            notes += left_out
            for split, found in predictions.items():
                records += score_predictions(
                    found,
                    asked,
                    split,
                    model=rival,
                    bootstrap=config.evaluation.bootstrap,
                    seed=config.train.seed,
                )
    return records, notes


def predict_prompted(
    backbone: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    table: Table,
    config: RunConfig,
    rival: str,
    splits: Sequence[str],
) -> tuple[dict[str, dict[str, npt.NDArray[Any]]], list[str]]:
    """Predict for splits by asking a language model as it is, by the tasks' templates.

    Tasks in the format `head` are asked by their kind's own template; a label of a multilabel task applies from a
    probability of 0.5. For `few_shot`, each task's demonstrations come from train and are the same for all rows (Brown
    et al., 2020, arXiv 2005.14165); they stand before the question, which has as much room as without them.

    Args:
        backbone: the language model.
        tokenizer: its tokenizer.
        table: the table that `choose_prompted` returned.
        config: the run file.
        rival: "zero_shot" or "few_shot".
        splits: the splits.

    Returns:
        By split what `predict_split` returns, and sentences on demonstrations that are not shown.
    """
    style = ChatStyle(**config.prompt.model_dump())
    askers = [MultiTaskModel(backbone, tokenizer, table.tasks, config.max_length, style=style)]
    askers[0].to(backbone.device).eval()
    notes: list[str] = []
    if rival == "few_shot":
        askers, notes = _with_demonstrations(askers[0], table, config)
    predictions: dict[str, dict[str, npt.NDArray[Any]]] = {}
    for split in splits:
        wanted = [{name: table.rows(name, split) for name in asker.tasks} for asker in askers]
        predictions[split] = {}
        with progress(f"Scoring {split}, {rival}", sum(map(count_work, askers, wanted)), "row") as bar:
            for asker, own in zip(askers, wanted, strict=True):
                rows, _ = asker.encode_rows(table.splits[split], own)
                predictions[split] |= infer(asker, rows, own, config.train.eval_batch_size, bar)
    return predictions, notes


def choose_prompted(
    backbone: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, table: Table, config: RunConfig
) -> tuple[Table, list[str]]:
    """Return the table with the tasks that can be asked, and sentences on why the others cannot.

    Raises:
        UsageError: the backbone is no decoder.
        ModelError: it cannot be asked: it reads in both directions, it has no chat template, or `max_length` leaves no
            room for answers.
    """
    if not is_decoder(backbone.config):
        raise UsageError(
            f"evaluation.baselines: {' and '.join(PROMPTED)} ask a language model, but '{config.model}' is "
            f"no decoder ({type(backbone).__name__}); leave them out, or choose a decoder, such as model: smollm2-135m."
        )
    # Also here, before a run begins: a model that reads in both directions cannot be asked.
    reads_trees(backbone, tokenizer)
    style, context = ChatStyle(**config.prompt.model_dump()), longest_input(backbone)
    asked, notes = {}, []
    for name, task in table.scored.items():
        reason = task.prompt_problem
        if not reason:
            task = task.as_prompted()
            try:
                PromptEncoder(tokenizer, {name: task}, config.max_length, style, context)
            except UsageError as error:
                reason = str(error).removeprefix(f"tasks.{name}: ").partition(";")[0]
        if not reason:
            asked[name] = task
        else:
            notes.append(f"Task '{name}' has no row of the base language model: {reason}.")
    return replace(table, tasks=asked), notes


@contextmanager
def _base(model: MultiTaskModel, config: RunConfig) -> Iterator[PreTrainedModel]:
    """Give the language model that the run began with."""
    if has_adapter(model.backbone) and model.backbone.get_output_embeddings() is not None:
        with without_adapter(model.backbone):
            yield model.backbone
    else:
        backbone, _ = load_backbone(config.model, language_model=True)
        backbone.to(model.device)
        yield backbone


def _with_demonstrations(
    asker: MultiTaskModel, table: Table, config: RunConfig
) -> tuple[list[MultiTaskModel], list[str]]:
    """Return one model a task, which reads the task's demonstrations first, and which of them are missing."""
    count = config.evaluation.shots
    askers, notes = [], []
    for name, task in table.tasks.items():
        labelled = table.splits["train"].select(table.rows(name, "train"))
        chosen = choose_demonstrations(task, table.labels(name, "train"), count, config.train.seed)
        if config.evaluation.demonstrations != "random":
            # Only this order needs it, and curriculum loads scikit-learn.
            from equipoise.curriculum import score_examples

            chosen = order_demonstrations(chosen, score_examples(table, name), config.evaluation.demonstrations)
        examples = [(one, labelled[one.row]["text"], labelled[one.row]["pair"]) for one in chosen]
        context = longest_input(asker.backbone)
        room = None if context is None else context - asker.max_length - _longest_answer(task, asker)
        found = demonstrate(asker.tokenizer, task, examples, asker.max_length, asker.style, room)
        one = MultiTaskModel(asker.backbone, asker.tokenizer, {name: task}, asker.max_length, style=asker.style).eval()
        askers.append(one.with_prompts(found.prompts, found.tokens))
        if found.shown < count:
            why = "train has no more" if found.shown == len(chosen) else "the model reads no more tokens"
            notes.append(f"few_shot, task '{name}': {found.shown} of {count} demonstrations are shown ({why}).")
    return askers, notes


def _longest_answer(task: Task, asker: MultiTaskModel) -> int:
    tokenize = partial(asker.tokenizer, add_special_tokens=False)
    return task.longest_answer(lambda answer: len(tokenize(f" {answer}")["input_ids"]))
