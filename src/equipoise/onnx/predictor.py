"""Texts in, answers out, by onnxruntime."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from equipoise.errors import ModelError, UsageError
from equipoise.kinds import Task
from equipoise.predicting import BasePredictor
from equipoise.progress import progress

from .answers import Answers, MeanAnswers, RowAnswers, TokenAnswers
from .export_folder import GRAPH, MEANS, TOKENIZER, ExportFacts, find_export, read_export
from .rows import RowReader
from .session import answers_name, open_graph, outputs_name
from .text_tokenizer import TextTokenizer


class OnnxPredictor(BasePredictor):
    """An exported model that answers for texts, without torch.

    Args:
        facts: what its folder says of it.
        tasks: its tasks.
        tokenizer: its tokenizer.
        graph: an opened graph (`open_graph`), with the predictions of all tasks.
        means: from averaged outputs to predictions; only for a model that reads long texts in windows.
    """

    def __init__(
        self, facts: ExportFacts, tasks: Mapping[str, Task], tokenizer: TextTokenizer, graph: Any, means: Any = None
    ) -> None:
        self.facts = facts
        self._tasks = dict(tasks)
        self._graph, self._means = graph, means
        self._inputs = {one.name for one in graph.get_inputs()}
        self._reader = RowReader(
            tokenizer,
            facts.tokenizer,
            facts.max_length,
            windows=facts.long_texts == "windows",
            offsets=any(task.reads_tokens for task in tasks.values()),
        )

    @property
    def tasks(self) -> dict[str, Task]:
        """The tasks the model answers for."""
        return self._tasks

    @property
    def max_length(self) -> int:
        """Most tokens of a text that are read at once."""
        return self.facts.max_length

    @property
    def precision(self) -> str:
        """In what it was exported."""
        return self.facts.precision

    def infer(
        self,
        texts: Sequence[str],
        pairs: Sequence[str | None],
        tasks: Collection[str],
        batch_size: int,
        *,
        prompts: int = 1,
        label: str | None = None,
    ) -> dict[str, npt.NDArray[Any]]:
        """Predict for texts that are read and checked; see `BasePredictor.infer`."""
        rows, long = self._reader.encode(texts, pairs)
        self.texts_read += len(texts)
        self.texts_cut += 0 if self.facts.long_texts == "windows" else long
        windows = Counter(row.text for row in rows)
        counts = [windows[number] for number in range(len(texts))]
        numbers = {name: number for number, name in enumerate(self._tasks) if name in tasks}
        answers = {name: self._collect(name, number, texts, counts) for name, number in numbers.items()}
        wanted = [self._output(name, number) for name, number in numbers.items()]
        # The longest first, so that padding is small; windows of a text stay together.
        rows.sort(key=lambda row: -len(row.tokens["input_ids"]))
        with progress(label, len(rows), "row") as bar:
            for start in range(0, len(rows), batch_size):
                batch = rows[start : start + batch_size]
                inputs = self._reader.pad(batch)
                width = inputs["input_ids"].shape[1]
                found = self._graph.run(wanted, {name: inputs[name] for name in inputs.keys() & self._inputs})
                for of_task, values in zip(answers.values(), found, strict=True):
                    of_task.add(batch, values.astype(np.float64), width)
                if bar is not None:
                    bar.advance(len(batch))
        return {name: self._tasks[name].clip(of_task.predict()) for name, of_task in answers.items()}

    def _output(self, name: str, number: int) -> str:
        """Return the graph's output that is read for a task."""
        averages = self._means is not None and not self._tasks[name].has_token_head
        return outputs_name(number) if averages else answers_name(number)

    def _collect(self, name: str, number: int, texts: Sequence[str], counts: Sequence[int]) -> Answers:
        if self._tasks[name].has_token_head:
            return TokenAnswers(self._tasks[name], texts, counts, self._reader)
        if self._means is not None:
            return MeanAnswers(counts, self._means, number)
        return RowAnswers(len(texts))


def load_onnx(folder: str | Path, device: str | None = None) -> OnnxPredictor:
    """Load an exported model.

    Args:
        folder: the folder that `equipoise export` wrote, or the `model.onnx` in it.
        device: "cpu", which is also the default.

    Raises:
        ModelError: there is no exported model, or a file of it is damaged.
        UsageError: onnxruntime is not installed, or another device is asked for.
    """
    if device is not None and str(device) != "cpu":
        raise UsageError(f"device: found '{device}', expected cpu: an exported model computes on the CPU.")
    place = find_export(folder)
    if place is None:
        raise ModelError(f"{folder}: found no exported model; give the folder that `equipoise export` wrote.")
    facts, tasks = read_export(place)
    tokenizer = TextTokenizer.read(place / TOKENIZER, facts.tokenizer)
    graph = open_graph(place / GRAPH)
    means = open_graph(place / MEANS) if facts.long_texts == "windows" else None
    names = {one.name for one in graph.get_outputs()}
    if missing := [answers_name(number) for number in range(len(tasks)) if answers_name(number) not in names]:
        raise ModelError(f"{place / GRAPH}: it has no output '{missing[0]}'; export the model again.")
    return OnnxPredictor(facts, tasks, tokenizer, graph, means)
