"""Predictions for some rows of many."""

import numpy as np
import pytest
import torch
from datasets import Dataset

from equipoise.kinds import Classification, Regression
from equipoise.modeling import MultiTaskModel, Predictor, infer, load_backbone

TASKS = {
    "score": Regression("score", "s", "text", None, "score", "pearson", (-1.0, 1.0), mean=0.5, std=2.0),
    "type": Classification("type", "s", "text", None, "label", "macro_f1", ("a", "b", "c")),
}
TEXTS = ["good film", "a bad phone and a sad place", "the", "a great price", "very slow service"]


class OnlySelected:
    """Rows of which only a selection can be read."""

    def __init__(self, rows):
        self.rows, self.selected = rows, set()

    def __len__(self):
        return len(self.rows)

    def with_format(self, kind):
        self.rows = self.rows.with_format(kind)
        return self

    def __getitem__(self, indices):
        self.selected.update(indices)
        return self.rows[indices]


def test_some_rows_are_scored_without_reading_the_others(tiny_model):
    torch.manual_seed(0)
    model = MultiTaskModel(*load_backbone(str(tiny_model)), TASKS, max_length=32).eval()
    every = {task: np.arange(len(TEXTS)) for task in TASKS}
    rows, _ = model.encode_rows(Dataset.from_dict({"text": TEXTS, "pair": [None] * len(TEXTS)}), every)
    whole = infer(model, rows, every, 2)
    some = {"score": np.array([4, 1]), "type": np.array([3, 1])}
    watched = OnlySelected(rows)
    found = infer(model, watched, some, 2)
    assert watched.selected == {1, 3, 4}
    for task, indices in some.items():
        np.testing.assert_allclose(found[task], whole[task][indices], atol=1e-6)


@pytest.mark.parametrize(("low", "high"), [(0.0, 0.3), (0.7, 0.9)])
def test_scores_lie_in_the_range_in_64_bits_and_are_labels_again(tiny_model, low, high):
    """The 32-bit numbers nearest to 0.3 and 0.7 lie outside of the ranges."""
    torch.manual_seed(0)
    task = TASKS["score"].replace(range=(low, high), mean=high if low == 0 else low, std=50.0)
    model = MultiTaskModel(*load_backbone(str(tiny_model)), {"score": task}, max_length=32).eval()
    every = {"score": np.arange(len(TEXTS))}
    with torch.no_grad():
        model.head("score").layers[-1].bias.add_(50.0 if low == 0 else -50.0)
    rows, _ = model.encode_rows(Dataset.from_dict({"text": TEXTS, "pair": [None] * len(TEXTS)}), every)
    scores = infer(model, rows, every, 2)["score"]
    assert scores.tolist() == [high if low == 0 else low] * len(TEXTS)
    answers = [answer["score"]["score"] for answer in Predictor(model).predict(TEXTS)]
    assert [task.parse(str(score)) for score in answers] == answers == scores.tolist()
