import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equipoise.kinds import LabelError, Multilabel, task_from_dict


def multilabel(**options):
    return Multilabel("emotions", "source", "text", None, "label", "macro_f1", **options)


COLUMNS = multilabel(classes=("joy", "fear"), columns=("joy", "fear"))
LEVELS = [0.0, 0.1, 0.25, 0.5, 0.75, 1.0]


@pytest.mark.parametrize(
    ("cell", "labels"),
    [
        (["joy", "fear"], ("fear", "joy")),
        ([], ()),
        (["joy", " joy "], ("joy",)),
        ([1, 2.0], ("1", "2")),
        ("joy, fear", ("fear", "joy")),
        ("joy", ("joy",)),
        (",", ()),
        (" , ", ()),
        (3, ("3",)),
    ],
)
def test_labels_come_as_a_list_or_between_separators(cell, labels):
    assert multilabel().parse(cell) == labels


def test_another_separator():
    assert multilabel(separator="|").parse("joy, mild|fear") == ("fear", "joy, mild")
    assert multilabel(separator=" ").parse("joy fear") == ("fear", "joy")


@pytest.mark.parametrize("cell", ["", "  ", {"joy": 1}, True, math.nan, None])
def test_what_is_no_list_of_labels_is_refused(cell):
    with pytest.raises(LabelError, match=r"expected a list of labels \(\[\] where none applies\)"):
        multilabel().parse(cell)


def test_a_label_may_not_be_empty():
    with pytest.raises(LabelError, match="found 'joy,,fear', expected a label on both sides of each ','"):
        multilabel().parse("joy,,fear")
    with pytest.raises(LabelError, match="expected a class"):
        multilabel().parse(["joy", None])


def test_listed_labels_are_the_only_ones():
    task = multilabel(classes=("joy", "fear"))
    assert task.parse("fear,joy") == ("fear", "joy")
    with pytest.raises(LabelError, match="found label 'fun', expected some of 'joy', 'fear'"):
        task.parse(["joy", "fun"])


@pytest.mark.parametrize("yes", [1, 1.0, True, "1", "true", " TRUE ", "1.0"])
@pytest.mark.parametrize("no", [0, False, "0", "False"])
def test_one_column_a_label(yes, no):
    assert COLUMNS.parse((yes, no)) == ("joy",)
    assert COLUMNS.parse((no, no)) == ()


@pytest.mark.parametrize("cell", [2, "yes", None, "", math.nan])
def test_a_column_holds_0_or_1(cell):
    with pytest.raises(LabelError, match="in column 'fear', expected 0 or 1"):
        COLUMNS.parse((1, cell))


def test_a_row_without_any_cell_has_no_label():
    assert COLUMNS.label_columns == ("joy", "fear")
    assert COLUMNS.join_cells((None, None)) is None
    assert COLUMNS.join_cells((None, 0)) == (None, 0)
    assert multilabel().label_columns == ("label",)
    assert multilabel().join_cells((["joy"],)) == ["joy"]


def test_fit_finds_the_labels_and_encode_marks_them():
    task = multilabel().fit([("b", "10"), ("9",), ()])
    assert task.classes == ("9", "10", "b")
    assert task.thresholds == (0.5, 0.5, 0.5)
    assert [task.encode(label) for label in [("b", "9"), ()]] == [[1, 0, 1], [0, 0, 0]]
    with pytest.raises(LabelError, match="found label 'c', which train does not have, expected some of '9', '10', 'b'"):
        task.encode(("b", "c"))


def test_fit_needs_every_label_on_some_rows_and_not_on_others():
    with pytest.raises(LabelError, match="label 'a' applies to every training row"):
        multilabel().fit([("a",), ("a", "b")])
    with pytest.raises(LabelError, match="label 'c' applies to no training row"):
        multilabel(classes=("a", "c")).fit([("a",), ()])
    with pytest.raises(LabelError, match="no label applies to any training row"):
        multilabel().fit([(), ()])


def test_columns_that_lack_a_label_of_the_model_are_refused():
    fitted = multilabel().fit([("joy", "fear", "fun"), ()])
    with pytest.raises(LabelError, match="found no column for label 'fun'"):
        fitted.replace(**COLUMNS.reading()).encode(("joy",))


def test_merging_takes_what_more_than_half_of_the_rows_have():
    assert multilabel().merge([("a", "b"), ("a",), ("c",)]) == ("a",)
    assert multilabel().merge([("a", "b"), ("b",)]) == ("b",)


def test_thresholds_have_the_best_f1_on_dev():
    gold = np.array([[1, 0, 1], [1, 0, 0], [0, 0, 1], [0, 0, 0]])
    probabilities = np.array([[0.9, 0.2, 0.1], [0.3, 0.9, 0.4], [0.1, 0.1, 0.2], [0.05, 0.1, 0.05]])
    task = multilabel(classes=("a", "b", "c")).tune(probabilities, gold)
    # Between 0.3 and 0.1; no row has b; c is best where all but the last row have it.
    assert task.thresholds == pytest.approx((0.2, 0.5, 0.075))
    assert task.decide(probabilities).tolist() == [[1, 0, 1], [1, 1, 1], [0, 0, 1], [0, 0, 0]]


@given(st.lists(st.tuples(st.sampled_from(LEVELS), st.booleans()), min_size=1, max_size=12))
def test_no_other_threshold_is_better(rows):
    probabilities, gold = np.array([one for one, _ in rows]), np.array([yes for _, yes in rows])
    task = multilabel(classes=("a",)).tune(probabilities[:, None], gold[:, None])

    def f1(taken):
        return 2 * (taken & gold).sum() / max(1, taken.sum() + gold.sum())

    # A label of probability 0 never applies.
    assert 0 < task.thresholds[0] <= 1
    best = max(f1(probabilities >= cut) for cut in LEVELS[1:])
    assert f1(task.decide(probabilities[:, None])[:, 0] > 0) == pytest.approx(best)


def test_of_equally_good_thresholds_the_nearest_to_one_half_is_taken():
    probabilities, gold = np.array([[0.9], [0.8], [0.2]]), np.array([[1], [0], [1]])
    # F1 is 2/3 with one row taken, 1/2 with two, 4/5 with three.
    assert multilabel(classes=("a",)).tune(probabilities, gold).thresholds == pytest.approx((0.1,))
    both = np.array([[1], [1], [0], [0], [0], [1]])
    scores = np.array([[0.9], [0.8], [0.7], [0.6], [0.45], [0.4]])
    # 4/5 with the two highest, 2/3 with all: nothing else comes near.
    assert multilabel(classes=("a",)).tune(scores, both).thresholds == pytest.approx((0.75,))
    even = np.array([[1], [0], [0], [1]])
    scores = np.array([[0.95], [0.5], [0.45], [0.4]])
    # 2/3 with the first, and with all four: 0.725 is nearer to one half than 0.2.
    assert multilabel(classes=("a",)).tune(scores, even).thresholds == pytest.approx((0.725,))


def test_the_answer_names_the_labels_from_their_thresholds_on():
    task = multilabel(classes=("a", "b", "c"), thresholds=(0.5, 0.1, 0.9))
    assert task.answer(np.array([0.5, 0.05, 0.95])) == {
        "labels": ["a", "c"],
        "probabilities": {"a": 0.5, "b": 0.05, "c": 0.95},
    }
    assert task.answer(np.zeros(3))["labels"] == []


def test_labels_are_counted_one_by_one():
    task = multilabel(classes=("a", "b"))
    assert task.count(np.array([[1, 1], [1, 0], [0, 0]], dtype=np.int8)) == {"a": 2, "b": 1}


@pytest.mark.parametrize("task", [multilabel().fit([("a",), ()]), COLUMNS, multilabel(separator="|")])
def test_a_task_survives_json(task):
    assert task_from_dict(json.loads(json.dumps(task.to_dict()))) == task
