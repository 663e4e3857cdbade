"""Scoring one model, an expert or the base, on every task."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from datasets import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from equipoise.config import RunConfig
from equipoise.data import ChatStyle, Table
from equipoise.devices import choose_device
from equipoise.evaluation import Record, score_predictions
from equipoise.kinds import Task
from equipoise.modeling import MultiTaskModel, encode_texts, infer, load, load_backbone
from equipoise.progress import Progress
from equipoise.training import SingleTask, read_run

from .cells import AnswerMode, plan_cells
from .experts_folder import Cell, ScoredModel
from .probe import choose_probe

BASE = "base"
"""What the untrained model is called in records and tables."""
_SCORED = ("dev", "test")


class _Model(NamedTuple):
    """A model to score; `reader` is itself, where heads read its features."""

    backbone: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    reader: MultiTaskModel | None


class Texts:
    """The texts that probes read, each once.

    Args:
        plans: the tasks that are probed.
    """

    def __init__(self, plans: Sequence[SingleTask]) -> None:
        places: dict[tuple[str, str | None], int] = {}
        self._rows: dict[tuple[str, str], npt.NDArray[np.int64]] = {}
        for plan in plans:
            for split, dataset in plan.table.splits.items():
                rows = dataset[plan.table.rows(plan.task, split)]
                read = list(zip(rows["text"], rows["pair"], strict=True))
                self._rows[plan.task, split] = np.array([places.setdefault(one, len(places)) for one in read])
        self.dataset = Dataset.from_dict({"text": [one for one, _ in places], "pair": [pair for _, pair in places]})

    def rows(self, task: str, split: str) -> npt.NDArray[np.int64]:
        """Where the rows of a task stand in `dataset`, in the order of its labels."""
        return self._rows[task, split]


def count_work(plans: Sequence[SingleTask], expert: str | None) -> int:
    """Count the rows that `score_model` reads: for a probe each text once, for an asked task its dev and test rows."""
    cells = plan_cells(_tasks(plans), expert)
    asked = [plan.table for plan in plans if cells[plan.task] is AnswerMode.PROMPTED]
    rows = sum(len(table.splits[split]) for table in asked for split in _SCORED)
    return rows + len(Texts([plan for plan in plans if cells[plan.task] is AnswerMode.PROBE]).dataset)


def score_model(
    plans: Sequence[SingleTask], config: RunConfig, expert: str | None, bar: Progress | None = None
) -> ScoredModel:
    """Score an expert, or the base, on dev and test of every task.

    The expert's own cell is what its run found. Where it is asked, it reads the task's first template, and a label of a
    multilabel task applies from a probability of 0.5, as for `zero_shot`. Probes learn from all training rows
    of their task, and choose their penalty and thresholds on dev.

    Args:
        plans: one a task, the experts' runs finished.
        config: the run file.
        expert: the task of the expert; None is the base.
        bar: moved by the rows done, `count_work` in all.

    Returns:
        The line of `experts.jsonl`.

    Raises:
        ModelError: the model cannot be loaded, or cannot be prompted.
        TrainingError: the expert's run is damaged.
    """
    began = time.monotonic()
    modes = plan_cells(_tasks(plans), expert)
    cells: dict[str, Cell] = {name: {"how": str(mode)} for name, mode in modes.items()}
    found: dict[str, list[Record]] = {}
    for plan in plans:
        if modes[plan.task] is AnswerMode.OWN:
            records = [record for record in read_run(plan.config.output).records if record["model"] == "run"]
            found[plan.task] = [{**record, "model": plan.task} for record in records]
    for task, answers in predict_others(plans, config, expert, bar).items():
        found[task] = _score(answers.predictions, answers.table, config, expert)
        if answers.penalty is not None:
            cells[task]["penalty"] = answers.penalty
    metrics = [record for name in modes for record in found.get(name, []) if record["subset"] == "all"]
    return {"expert": expert, "cells": cells, "metrics": metrics, "seconds": round(time.monotonic() - began, 1)}


class Answers(NamedTuple):
    """What a model answers for a task that it has not learnt.

    Args:
        predictions: by split and task.
        table: the task's table, with thresholds tuned on dev.
        penalty: of the probe; None where the model was asked.
    """

    predictions: dict[str, dict[str, npt.NDArray[Any]]]
    table: Table
    penalty: float | None


def predict_others(
    plans: Sequence[SingleTask], config: RunConfig, expert: str | None, bar: Progress | None = None
) -> dict[str, Answers]:
    """Predict dev and test of every task that an expert, or the base, has not learnt and can answer for.

    Args:
        plans, config, expert, bar: see `score_model`.
    """
    modes = plan_cells(_tasks(plans), expert)
    asked, probed = (
        [plan for plan in plans if modes[plan.task] is how] for how in (AnswerMode.PROMPTED, AnswerMode.PROBE)
    )
    found: dict[str, Answers] = {}
    if not asked and not probed:
        return found
    model = _load(plans, config, expert)
    for plan in asked:
        found[plan.task] = Answers(_ask(model, plan, config, bar), plan.table, None)
    if probed:
        texts = Texts(probed)
        reader = _reader(model, probed, config)
        features = encode_texts(reader, texts.dataset, config.train.eval_batch_size, bar)
        found |= {plan.task: _probe(plan, texts, features) for plan in probed}
    return found


def _tasks(plans: Sequence[SingleTask]) -> dict[str, Task]:
    return {plan.task: plan.table.tasks[plan.task] for plan in plans}


def _load(plans: Sequence[SingleTask], config: RunConfig, expert: str | None) -> _Model:
    if expert is not None:
        (own,) = (plan.config.output for plan in plans if plan.task == expert)
        model = load(own).model
        return _Model(model.backbone, model.tokenizer, model if model.prompts is None else None)
    writes = any(task.is_prompted for task in _tasks(plans).values())
    backbone, tokenizer = load_backbone(config.model, language_model=writes, quantization=config.quantization)
    if config.quantization == "none":
        backbone.to(choose_device())
    return _Model(backbone.eval(), tokenizer, None)


def _ask(
    model: _Model, plan: SingleTask, config: RunConfig, bar: Progress | None
) -> dict[str, dict[str, npt.NDArray[Any]]]:
    """Ask about one task alone, as its expert is asked, so that texts are cut alike."""
    task, style = plan.table.tasks[plan.task], ChatStyle(**config.prompt.model_dump())
    asker = MultiTaskModel(model.backbone, model.tokenizer, {plan.task: task}, config.max_length, style=style)
    asker.to(model.backbone.device).eval()
    predictions = {}
    for split in _SCORED:
        wanted = {plan.task: plan.table.rows(plan.task, split)}
        rows, _ = asker.encode_rows(plan.table.splits[split], wanted)
        predictions[split] = infer(asker, rows, wanted, config.train.eval_batch_size, bar)
    return predictions


def _reader(model: _Model, plans: Sequence[SingleTask], config: RunConfig) -> MultiTaskModel:
    """Return a model whose features heads could read."""
    if model.reader is not None:
        return model.reader
    # Without the output layer of a language model, which gives no hidden states.
    inner = model.backbone.base_model
    return MultiTaskModel(inner, model.tokenizer, _tasks(plans), config.max_length, pooling=config.pooling).to(
        model.backbone.device
    )


def _probe(plan: SingleTask, texts: Texts, features: npt.NDArray[np.float64]) -> Answers:
    task, table = plan.table.tasks[plan.task], plan.table
    read = {split: features[texts.rows(plan.task, split)] for split in table.splits}
    gold = {split: table.labels(plan.task, split) for split in ("train", "dev")}
    probe = choose_probe(task, (read["train"], gold["train"]), (read["dev"], gold["dev"]))
    predictions = {split: {plan.task: probe.predict(read[split])} for split in _SCORED}
    tuned = task.tune(predictions["dev"][plan.task], gold["dev"])
    return Answers(predictions, replace(table, tasks={plan.task: tuned}), probe.penalty)


def _score(
    predictions: Mapping[str, Mapping[str, npt.NDArray[Any]]], table: Table, config: RunConfig, expert: str | None
) -> list[Record]:
    resamples, seed = config.evaluation.bootstrap, config.train.seed
    return [
        record
        for split, found in predictions.items()
        for record in score_predictions(found, table, split, model=expert or BASE, bootstrap=resamples, seed=seed)
    ]
