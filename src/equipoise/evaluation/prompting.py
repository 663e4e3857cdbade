"""The baselines for which the base language model is prompted, untrained: `zero_shot` and `few_shot`."""

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
    """Return a run file without the baselines for which a language model is prompted."""
    baselines = tuple(name for name in config.evaluation.baselines if name not in PROMPTED)
    return config.model_copy(update={"evaluation": config.evaluation.model_copy(update={"baselines": baselines})})


def check_prompted(model: MultiTaskModel, table: Table, config: RunConfig) -> None:
    """Make sure that there is a language model to prompt, where the run file has a baseline that needs one.

    Raises:
        UsageError, ModelError: see `choose_prompted`.
    """
    if any(name in PROMPTED for name in config.evaluation.baselines):
        choose_prompted(model.backbone, model.tokenizer, table, config)


def score_prompted(
    model: MultiTaskModel, table: Table, config: RunConfig, splits: Sequence[str]
) -> tuple[list[Record], list[str]]:
    """Score the base language model on splits of a table, once for each prompted baseline of the run file.

    The base is the run's own: its adapter is left out, or, where it has none, it is loaded again. See
    `predict_prompted`.

    Args:
        model: the trained model.
        table: the table.
        config: the run file: baselines, shots, resamples, seed.
        splits: the splits to score.

    Returns:
        The records, and sentences on what could not be prompted or shown.

    Raises:
        UsageError: the backbone is no decoder.
        ModelError: the base cannot be loaded or prompted.
    """
    baselines = [name for name in config.evaluation.baselines if name in PROMPTED]
    if not baselines:
        return [], []
    prompted, notes = choose_prompted(model.backbone, model.tokenizer, table, config)
    records: list[Record] = []
    if not prompted.tasks:
        return records, notes
    with _base(model, config) as backbone:
        for baseline in baselines:
            predictions, left_out = predict_prompted(backbone, model.tokenizer, prompted, config, baseline, splits)
            notes += left_out
            for split, of_split in predictions.items():
                records += score_predictions(
                    of_split,
                    prompted,
                    split,
                    model=baseline,
                    bootstrap=config.evaluation.bootstrap,
                    seed=config.train.seed,
                )
    return records, notes


def predict_prompted(
    backbone: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    table: Table,
    config: RunConfig,
    baseline: str,
    splits: Sequence[str],
) -> tuple[dict[str, dict[str, npt.NDArray[Any]]], list[str]]:
    """Predict for splits by prompting a language model as it is, by the tasks' templates.

    Tasks in the format `head` are prompted by their kind's own template; a label of a multilabel task applies from a
    probability of 0.5. For `few_shot`, each task's demonstrations come from train and are the same for all rows (Brown
    et al., 2020, arXiv 2005.14165); they stand before the question, which has as much room as without them.

    Args:
        backbone: the language model.
        tokenizer: its tokenizer.
        table: the table that `choose_prompted` returned.
        config: the run file.
        baseline: "zero_shot" or "few_shot".
        splits: the splits.

    Returns:
        By split what `predict_split` returns, and sentences on demonstrations that are not shown.
    """
    style = ChatStyle(**config.prompt.model_dump())
    models = [MultiTaskModel(backbone, tokenizer, table.tasks, config.max_length, style=style)]
    models[0].to(backbone.device).eval()
    notes: list[str] = []
    if baseline == "few_shot":
        models, notes = _with_demonstrations(models[0], table, config)
    predictions: dict[str, dict[str, npt.NDArray[Any]]] = {}
    for split in splits:
        wanted = [{name: table.rows(name, split) for name in model.tasks} for model in models]
        predictions[split] = {}
        with progress(f"Scoring {split}, {baseline}", sum(map(count_work, models, wanted)), "row") as bar:
            for model, own in zip(models, wanted, strict=True):
                rows, _ = model.encode_rows(table.splits[split], own)
                predictions[split] |= infer(model, rows, own, config.train.eval_batch_size, bar)
    return predictions, notes


def choose_prompted(
    backbone: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, table: Table, config: RunConfig
) -> tuple[Table, list[str]]:
    """Return the table with the tasks that can be prompted for, and sentences on why the others cannot.

    Raises:
        UsageError: the backbone is no decoder.
        ModelError: it cannot be prompted: it reads in both directions, it has no chat template, or `max_length` leaves
            no room for answers.
    """
    if not is_decoder(backbone.config):
        raise UsageError(
            f"evaluation.baselines: {' and '.join(PROMPTED)} prompt a language model, but '{config.model}' is "
            f"no decoder ({type(backbone).__name__}); leave them out, or choose a decoder, such as model: smollm2-135m."
        )
    # Also here, before a run begins: a model that reads in both directions cannot be prompted.
    reads_trees(backbone, tokenizer)
    style, context = ChatStyle(**config.prompt.model_dump()), longest_input(backbone)
    prompted, notes = {}, []
    for name, task in table.scored.items():
        reason = task.prompt_problem
        if not reason:
            task = task.as_prompted()
            try:
                PromptEncoder(tokenizer, {name: task}, config.max_length, style, context)
            except UsageError as error:
                reason = str(error).removeprefix(f"tasks.{name}: ").partition(";")[0]
        if not reason:
            prompted[name] = task
        else:
            notes.append(f"Task '{name}' has no row of the base language model: {reason}.")
    return replace(table, tasks=prompted), notes


@contextmanager
def _base(model: MultiTaskModel, config: RunConfig) -> Iterator[PreTrainedModel]:
    """Yield the language model that the run started from."""
    if has_adapter(model.backbone) and model.backbone.get_output_embeddings() is not None:
        with without_adapter(model.backbone):
            yield model.backbone
    else:
        backbone, _ = load_backbone(config.model, language_model=True)
        backbone.to(model.device)
        yield backbone


def _with_demonstrations(
    model: MultiTaskModel, table: Table, config: RunConfig
) -> tuple[list[MultiTaskModel], list[str]]:
    """Return one model per task, which reads the task's demonstrations first, and which of them are missing."""
    count = config.evaluation.shots
    models, notes = [], []
    for name, task in table.tasks.items():
        labelled = table.splits["train"].select(table.rows(name, "train"))
        chosen = choose_demonstrations(task, table.labels(name, "train"), count, config.train.seed)
        if config.evaluation.demonstrations != "random":
            # Only this order needs it, and curriculum loads scikit-learn.
            from equipoise.curriculum import score_examples

            chosen = order_demonstrations(chosen, score_examples(table, name), config.evaluation.demonstrations)
        examples = [(one, labelled[one.row]["text"], labelled[one.row]["pair"]) for one in chosen]
        context = longest_input(model.backbone)
        room = None if context is None else context - model.max_length - _longest_answer(task, model)
        demonstrated = demonstrate(model.tokenizer, task, examples, model.max_length, model.style, room)
        one = MultiTaskModel(model.backbone, model.tokenizer, {name: task}, model.max_length, style=model.style).eval()
        models.append(one.with_prompts(demonstrated.prompts, demonstrated.tokens))
        if demonstrated.shown < count:
            why = "train has no more" if demonstrated.shown == len(chosen) else "the model reads no more tokens"
            notes.append(f"few_shot, task '{name}': {demonstrated.shown} of {count} demonstrations are shown ({why}).")
    return models, notes


def _longest_answer(task: Task, model: MultiTaskModel) -> int:
    tokenize = partial(model.tokenizer, add_special_tokens=False)
    return task.longest_answer(lambda answer: len(tokenize(f" {answer}")["input_ids"]))
