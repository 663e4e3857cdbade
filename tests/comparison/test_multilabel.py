"""A comparison of runs with a multilabel task."""

import json

import numpy as np
import pytest

from corpus import words_data
from equipoise.comparison import compare


def test_a_comparison_reads_the_decisions_of_every_run(tmp_path, tiny_model):
    data = words_data(tmp_path, tiny_model, max_steps=2, evaluations=1)
    path = tmp_path / "run.yaml"
    path.write_text(json.dumps(data))
    comparison = compare([path], "equal", seeds=1, trials=1, jobs=2)
    table = comparison.table
    words = table.tasks["words"]
    assert [part["name"] for part in words.parts] == ["blame", "praise", "thing"]
    row = next(row for row in table.rows if row.name == "equal")
    values = [part["f1"] for part in row.parts["words"]]
    assert row.metrics["test"]["words"]["macro_f1"].value == pytest.approx(np.mean(values))
    jaccard = {row.name: row.metrics["test"]["words"]["jaccard"].value for row in table.rows}
    (test,) = (test for test in table.tests["single-task"] if (test.row, test.task) == ("equal", "words"))
    assert test.difference.value == pytest.approx(jaccard["single-task"] - jaccard["equal"])
    html = (comparison.folder / "compare.html").read_text()
    assert "Jaccard − single-task, points" in html
    assert "F1 and recall of each label on test" in html
