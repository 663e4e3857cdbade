"""Texts in, answers out."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from datasets import Dataset

from equipoise.devices import choose_device
from equipoise.errors import DataError, ModelError, UsageError, did_you_mean
from equipoise.tasks import Task, as_text

from .ensembling import check_prompts, infer_texts
from .model import MultiTaskModel

Text = str | Mapping[str, Any]


class Predictor:
    """A trained model that answers for texts.

    Args:
        model: the model.
    """

    def __init__(self, model: MultiTaskModel) -> None:
        self.model = model

    @property
    def tasks(self) -> dict[str, Task]:
        """The tasks the model answers for."""
        return self.model.tasks

    def predict(
        self,
        texts: Text | Sequence[Text],
        pair: str | Sequence[str] | None = None,
        *,
        tasks: str | Sequence[str] | None = None,
        batch_size: int = 64,
        prompts: int = 1,
        show_progress: bool = False,
    ) -> list[dict[str, Any]]:
        """Answer for each text, in order.

        Args:
            texts: one text or several; or rows (dicts, or a pandas DataFrame) that hold the columns the tasks read.
            pair: second text (a target, an aspect) for the tasks that read one: one for all texts, or one each.
            tasks: names of the tasks to answer for; by default all but the auxiliary ones.
            batch_size: texts in a batch; it does not change the answers beyond 1e-5.
            prompts: over how many templates the answers of tasks in the format `instruct` are averaged (see
                `infer_texts`); it takes as many times as long.
            show_progress: show how far it is on standard error.

        Returns:
            One dict a text: `{"text": …, "polarity": {"label": …, "probabilities": {…}}, "intensity": {"score": …},
            "emotions": {"labels": […], "probabilities": {…}}}`; `"pair"` is there too where one was given for a text.
            Rows keep their columns; those that have a task's name (or are called `given`) move into `"given"`.

        Raises:
            UsageError: a task does not exist, has fewer templates, or reads a pair and none was given.
            DataError: a text is empty or no text.
            ModelError: the model's weights are damaged: a prediction is NaN.
        """
        if batch_size < 1:
            raise UsageError(f"batch_size: found {batch_size}, expected 1 or more.")
        wanted = self._choose([tasks] if isinstance(tasks, str) else tasks)
        check_prompts(prompts, wanted)
        rows = _rows(texts)
        pairs = [pair] * len(rows) if pair is None or isinstance(pair, str) else list(pair)
        if len(pairs) != len(rows):
            raise UsageError(f"pair: found {len(pairs)} for {len(rows)} texts, expected one for all or one each.")
        answers = [_echo(row, second, wanted) for row, second in zip(rows, pairs, strict=True)]
        # Tasks that read the same columns read the same sequence: it is encoded once.
        for columns in dict.fromkeys((task.text, task.pair) for task in wanted.values()):
            readers = {name: task for name, task in wanted.items() if (task.text, task.pair) == columns}
            inputs = [
                _read(row, second, *columns, number, next(iter(readers)))
                for number, (row, second) in enumerate(zip(rows, pairs, strict=True), 1)
            ]
            predictions = self._infer(inputs, readers, batch_size, prompts, show_progress)
            for name, task in readers.items():
                for answer, prediction in zip(answers, predictions[name], strict=True):
                    answer[name] = task.answer(prediction)
        return answers

    def _choose(self, names: Sequence[str] | None) -> dict[str, Task]:
        if names is None:
            return {name: task for name, task in self.tasks.items() if not task.auxiliary}
        for name in names:
            if name not in self.tasks:
                raise UsageError(f"task '{name}' is not in the model. {did_you_mean(name, self.tasks)}")
        return {name: self.tasks[name] for name in names}

    def _infer(
        self,
        inputs: list[tuple[str, str | None]],
        readers: Mapping[str, Task],
        batch_size: int,
        prompts: int,
        show: bool,
    ) -> dict[str, npt.NDArray[np.float64]]:
        if not inputs:
            return {name: np.empty(0) for name in readers}
        # A text that comes twice is encoded once.
        distinct = list(dict.fromkeys(inputs))
        position = {item: number for number, item in enumerate(distinct)}
        dataset = Dataset.from_dict(
            {"text": [text for text, _ in distinct], "pair": [second for _, second in distinct]}
        )
        wanted = dict.fromkeys(readers, np.arange(len(distinct)))
        label = "Predicting" if show else None
        found = infer_texts(self.model, dataset, wanted, batch_size, prompts=prompts, label=label)
        for name, values in found.items():
            if values.dtype != object and not np.isfinite(values).all():
                raise ModelError(
                    f"task '{name}': found a prediction that is no number; the model's weights are damaged."
                )
        back = np.array([position[item] for item in inputs])
        return {name: values[back] for name, values in found.items()}


def load(folder: str | Path, device: str | torch.device | None = None) -> Predictor:
    """Load a trained model.

    Args:
        folder: the `model` folder of a run, or the run's folder.
        device: where it computes, such as "cpu" or "cuda:1"; by default see `equipoise.devices.choose_device`.

    Raises:
        ModelError: there is no model.
        UsageError: there is no such device.
    """
    folder = Path(folder)
    if not (folder / "equipoise.json").is_file() and (folder / "model").is_dir():
        folder = folder / "model"
    chosen = choose_device(device)
    return Predictor(MultiTaskModel.from_pretrained(folder).to(chosen))


def _rows(texts: Any) -> list[Text]:
    if isinstance(texts, str | Mapping):
        return [texts]
    if hasattr(texts, "to_dict") and hasattr(texts, "columns"):
        return texts.to_dict("records")
    if not isinstance(texts, Iterable):
        raise UsageError(f"texts: found {texts!r}, expected a text, several texts, or rows.")
    return list(texts)


def _echo(row: Text, pair: str | None, tasks: Collection[str]) -> dict[str, Any]:
    if isinstance(row, Mapping):
        taken = {*tasks, "given"}
        kept = {column: value for column, value in row.items() if column not in taken}
        given = {column: value for column, value in row.items() if column in taken}
        return {**kept, "given": given} if given else kept
    return {"text": row} if pair is None else {"text": row, "pair": pair}


def _read(
    row: Text, pair: str | None, text_column: str, pair_column: str | None, number: int, task: str
) -> tuple[str, str | None]:
    if isinstance(row, Mapping):
        if text_column not in row:
            raise DataError(
                f"row {number}: no column '{text_column}', which task '{task}' reads. {did_you_mean(text_column, row)}"
            )
        text = row[text_column]
        if pair_column is not None and pair is None:
            pair = row.get(pair_column)
    else:
        text = row
    # As training reads them.
    text, pair = as_text(text), as_text(pair)
    if not isinstance(text, str) or not text.strip():
        found = "an empty text" if text is None or isinstance(text, str) else repr(text)
        raise DataError(f"row {number}: found {found}, expected a text; leave the row out.")
    if pair_column is None:
        return text, None
    if not isinstance(pair, str) or not pair.strip():
        raise UsageError(
            f"row {number}: task '{task}' reads a second text (column '{pair_column}'), found {pair!r}; give `pair` "
            "(--pair), or rows that hold the column, or leave the task out."
        )
    return text, pair
