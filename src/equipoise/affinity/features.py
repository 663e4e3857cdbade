"""What features are worth to each target: those of the untrained base model, and of one that has learnt a helper."""

import math
import time
from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt
from datasets import Dataset

from equipoise.curriculum import measure_pvi, read_base_features
from equipoise.kinds import make_analysis
from equipoise.modeling import MultiTaskModel, encode_texts
from equipoise.training import PreparedRun, ProgressSlot, train_for_dev

from .mix_folder import CellRecord
from .plan import UNTRAINED, Plan, Training
from .row_losses import Rows

Floats = npt.NDArray[np.float64]

_ROWS = 512
"""Training rows of a target that features are judged on, at most."""
_FEWEST = 10
"""With fewer training rows a task takes no part in the estimates."""


class Judge:
    """Judges features by how well linear probes tell each target's labels from them, on some of its training rows.

    Targets whose labels no linear model learns, such as texts and items, and those of few rows or of one text are left
    out; so are all of `bilstm`, which has no features before it is trained.

    Args:
        plan: the trainings.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._rows = {} if plan.config.model == "bilstm" else self._draw()

    def helpers(self) -> list[Training]:
        """Return the trainings of helpers that the estimates need."""
        return [
            self._plan.helper_alone(helper)
            for helper in self._plan.helpers
            if any(pair.helper == helper and pair.target in self._rows for pair in self._plan.pairs)
            and len(self._plan.table.rows(helper, "train")) >= _FEWEST
        ]

    def judge_untrained(self) -> CellRecord:
        """Judge the features of the untrained base model.

        Returns:
            The journal's line.
        """
        began = time.monotonic()
        probes = self._probe(self._untrained)
        return {"cell": UNTRAINED, "rows": _cost(probes), "seconds": time.monotonic() - began, "probes": probes}

    def judge_helper(self, training: Training, slot: ProgressSlot | None = None) -> CellRecord:
        """Train a helper alone, and judge the features that come of it, beside those of the untrained model.

        Args:
            training: which one.
            slot: its place among the trainings of this call.

        Returns:
            The journal's line.
        """
        began, plan = time.monotonic(), self._plan
        (helper,) = training.tasks
        judged = {pair.target for pair in plan.pairs if pair.helper == helper} & self._rows.keys()
        run = train_for_dev(*plan.build(training), slot)
        reader, size = self._reader(run), plan.config.train.eval_batch_size
        features = {
            name: np.hstack([self._untrained[name], encode_texts(reader, self._texts(rows), size)])
            for name, rows in self._rows.items()
            if name in judged
        }
        probes = self._probe(features)
        seconds, rows = time.monotonic() - began, training.rows + _cost(probes)
        return {"cell": training.key, "rows": rows, "seconds": seconds, "probes": probes}

    def _probe(self, features: Mapping[str, Floats]) -> dict[str, list[float]]:
        """Return by target the losses of cross-fitted probes on its features, row by row."""
        table, seed, losses = self._plan.table, self._plan.config.train.seed, {}
        for name in features:
            rows = self._rows[name]
            labels = table.labels(name, "train")[np.searchsorted(table.rows(name, "train"), rows)]
            found = measure_pvi(table.tasks[name], features[name], labels, self._texts(rows)[:]["text"], seed)
            assert found is not None  # it has several texts
            losses[name] = make_analysis(table.tasks[name]).probe_losses(labels, found.folds).tolist()
        return losses

    @cached_property
    def _untrained(self) -> dict[str, Floats]:
        plan = self._plan
        if not self._rows:
            return {}
        read = np.unique(np.concatenate(list(self._rows.values())))
        features = read_base_features(plan.config, plan.table, list(self._rows), read, "Reading texts")
        return {name: features[np.searchsorted(read, rows)] for name, rows in self._rows.items()}

    def _reader(self, run: PreparedRun) -> MultiTaskModel:
        """Return a run's model as one that gives features: one that answers prompts, without its output layer."""
        model, config = run.model, run.config
        if model.prompts is None:
            return model
        heads = {name: self._plan.table.tasks[name].replace(format="head") for name in self._rows}
        return MultiTaskModel(model.extractor, model.tokenizer, heads, config.max_length, pooling=config.pooling)

    def _draw(self) -> dict[str, Rows]:
        table, seed = self._plan.table, self._plan.config.train.seed
        drawn = {}
        for name in self._plan.targets:
            rows = table.rows(name, "train")
            if len(rows) >= _FEWEST and make_analysis(table.tasks[name]).measures_features:
                few = np.sort(np.random.default_rng(seed).choice(rows, min(len(rows), _ROWS), replace=False))
                if len(set(self._texts(few)[:]["text"])) > 1:
                    drawn[name] = few
        return drawn

    def _texts(self, rows: Rows) -> Dataset:
        return self._plan.table.splits["train"].select(rows).select_columns(["text", "pair"])


def _cost(probes: Mapping[str, Sequence[float]]) -> int:
    """Return what reading the rows costs, in rows that are trained on: a backward pass is two thirds of the work."""
    return math.ceil(sum(map(len, probes.values())) / 3)
