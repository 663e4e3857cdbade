"""Difficulty by meta data."""

import json

import numpy as np
import pytest

from equipoise.config import make_config
from equipoise.curriculum import describe_examples, describe_tasks, score_examples
from equipoise.curriculum.metadata import segmental_diversity
from equipoise.curriculum.ranks import unit_ranks, weigh
from equipoise.data import load_table
from equipoise.errors import DataError
from equipoise.kinds import Multilabel, Regression, make_analysis

COMMON = ("s", "text", None, "label")
ROWS = [
    {"text": "good film", "label": "pos", "aspect": "plot", "sd": 0.5},
    {"text": "good good film", "label": "pos", "aspect": "plot", "sd": 2.0},
    {"text": "bad", "label": "neg", "aspect": "plot", "sd": None},
    {"text": "good", "label": "pos", "aspect": "plot", "sd": 1.0},
]


@pytest.fixture
def load(tmp_path):
    def load(rows, tasks, **source):
        (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        held_out = [{**rows[number], "text": f"other {number}"} for number in (0, 2)]
        for split in ("dev", "test"):
            (tmp_path / f"{split}.jsonl").write_text(
                "".join(json.dumps({**row, "text": f"{row['text']} {split}"}) + "\n" for row in held_out)
            )
        files = {split: f"{split}.jsonl" for split in ("train", "dev", "test")}
        data = {"sources": {"s": {**files, **source}}, "tasks": tasks, "output": "out"}
        return load_table(make_config(data, folder=tmp_path))

    return load


TASK = {"t": {"source": "s", "kind": "classification"}}


def test_parts_by_hand(load):
    parts = describe_examples(load(ROWS, TASK, disagreement="sd"), "t")
    assert parts["length"].tolist() == [2, 3, 1, 1]
    # Of seven words four are good, two film, one bad.
    good, film, bad = np.log2(7 / 4), np.log2(7 / 2), np.log2(7)
    np.testing.assert_allclose(parts["word_rarity"], [(good + film) / 2, (2 * good + film) / 3, bad, good])
    np.testing.assert_allclose(parts["label_rarity"], [np.log2(4 / 3)] * 2 + [2.0] + [np.log2(4 / 3)])
    np.testing.assert_array_equal(parts["disagreement"], [0.5, 2.0, np.nan, 1.0])


def test_the_score_is_the_weighted_mean_of_ranks(load):
    table = load(ROWS, TASK, disagreement="sd")
    # Ranks × 8: length 5, 7, 2, 2; word rarity 5, 3, 7, 1; label rarity 3, 3, 7, 3; disagreement × 6: 1, 5, –, 3.
    expected = [
        (5 / 8 + 5 / 8 + 3 / 8 + 2 * 1 / 6) / 5,
        (7 / 8 + 3 / 8 + 3 / 8 + 2 * 5 / 6) / 5,
        (2 / 8 + 7 / 8 + 7 / 8) / 3,
        (2 / 8 + 1 / 8 + 3 / 8 + 2 * 3 / 6) / 5,
    ]
    np.testing.assert_allclose(score_examples(table, "t"), expected)
    assert "disagreement" not in describe_examples(load(ROWS, TASK), "t")


def test_ranks_leave_out_what_is_not_known():
    np.testing.assert_array_equal(unit_ranks([3.0, np.nan, 1.0, 3.0]), [4 / 6, np.nan, 1 / 6, 4 / 6])
    parts = {"a": np.array([np.nan, 1.0]), "b": np.array([np.nan, np.nan])}
    assert weigh(parts, {"a": 1.0, "b": 1.0}).tolist() == [0.5, 0.5]


def test_rare_labels_of_every_kind():
    labels = np.array([[1, 0], [0, 0], [0, 0], [0, 0]], dtype=np.int8)
    np.testing.assert_allclose(
        make_analysis(Multilabel("m", *COMMON, "macro_f1", ("a", "b"))).rarity(labels), [2.0, *[np.log2(4 / 3)] * 3]
    )
    # Bins of a tenth: the highest score belongs to the last of them.
    scores = np.array([0.0, 0.05, 0.55, 1.0, 0.95])
    np.testing.assert_allclose(
        make_analysis(Regression("r", *COMMON, "pearson")).rarity(scores), np.log2([2.5, 2.5, 5, 2.5, 2.5])
    )


def test_tasks_by_hand(load):
    tasks = {**TASK, "towards": {"source": "s", "kind": "classification", "pair": "aspect"}}
    about = describe_tasks(load(ROWS, tasks, disagreement="sd"))
    one, other = about["t"], about["towards"]
    assert (one["classes"], one["inputs"], other["inputs"]) == (2, 1, 2)
    assert one["label_entropy"] == pytest.approx(2 / 4 + 3 / 4 * np.log2(4 / 3))
    assert one["length"] == 7 / 4
    assert other["length"] == 11 / 4
    assert one["disagreement"] == pytest.approx(3.5 / 3)
    # Fewer words than a segment: 3 of 7 differ, and 4 of 11.
    assert (one["lexical_diversity"], other["lexical_diversity"]) == (3 / 7, 4 / 11)
    # Classes, entropy and disagreement are equal (½), diversity is higher, length and inputs are lower.
    assert one["score"] == pytest.approx((0.5 + 0.5 + 2 * 0.5 + 0.75 + 0.25 + 0.25) / 7)


def test_diversity_does_not_fall_with_the_length_of_the_corpus():
    words = [str(number % 40) for number in range(50)]
    assert segmental_diversity([words]) == 0.8
    assert segmental_diversity([words, words, words[:10]]) == 0.8


@pytest.mark.parametrize(
    ("cell", "found"), [("high", "found 'high'"), (-1, "found -1"), ([1], r"found \[1\]"), (True, "found True")]
)
def test_a_disagreement_that_is_no_number_is_named(load, cell, found):
    rows = [*ROWS[:3], {**ROWS[3], "sd": cell}]
    message = rf"train.jsonl, line 4, column 'sd' \(the source's disagreement\): {found}, expected a number from 0 up"
    with pytest.raises(DataError, match=message):
        load(rows, TASK, disagreement="sd")


def test_a_missing_column_of_disagreement_is_named(load):
    rows = [{"text": row["text"], "label": row["label"], "disagreement": 1} for row in ROWS]
    message = r"found no column 'disagrement' \(the source's disagreement\), .* Did you mean 'disagreement'"
    with pytest.raises(DataError, match=message):
        load(rows, TASK, disagreement="disagrement")


def test_only_training_rows_need_it(load, tmp_path):
    rows = [{key: row[key] for key in ("text", "label", "sd")} for row in ROWS]
    table = load(rows, TASK, disagreement="sd")
    assert table.splits["train"]["disagreement"][:] == [0.5, 2.0, None, 1.0]
    assert "disagreement" not in load(rows, TASK).splits["train"].column_names
    assert "disagreement" not in table.splits["dev"].column_names
