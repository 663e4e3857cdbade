import numpy as np
import pytest

from equipoise.errors import DataError
from equipoise.evolution import mine_weak
from equipoise.kinds import Classification, Generation, Multilabel, Regression, make_analysis

COMMON = ("tone", "tweets", "text", None, "label")
CLASSES = Classification(*COMMON, "macro_f1", ("no", "yes"))
SCORES = Regression(*COMMON, "pearson", (-1.0, 1.0))
LABELS = Multilabel(*COMMON, "macro_f1", ("joy", "rage"))
TEXTS = Generation(*COMMON, "rouge_l", 8, 1)


def sure_of(values):
    """Probabilities of the class "yes", and of "no"."""
    return np.stack([1 - np.array(values), np.array(values)], axis=1)


def mine(task, predictions, gold, **settings):
    return mine_weak(task, predictions, gold, **{"rows": 4, "share": 0.5, "drop_noise": False, "seed": 0, **settings})


def test_the_hardest_come_first_and_the_rest_is_drawn():
    gold = np.array([1, 1, 1, 1, 1, 1, 1, 1, 0, 0])
    found = mine(CLASSES, sure_of([0.99, 0.3, 0.98, 0.97, 0.7, 0.99, 0.4, 0.99, 0.01, 0.02]), gold)
    assert {1, 6} < set(found.rows.tolist())
    assert (len(found.rows), found.weak, found.wrong) == (4, 2, 2)
    assert sorted(found.rows) == found.rows.tolist()
    again = mine(CLASSES, sure_of([0.99, 0.3, 0.98, 0.97, 0.7, 0.99, 0.4, 0.99, 0.01, 0.02]), gold)
    assert again.rows.tolist() == found.rows.tolist()


def test_rows_it_gets_right_but_is_unsure_of_are_weak():
    gold = np.ones(6, int)
    gold[5] = 0
    found = mine(CLASSES, sure_of([0.99, 0.99, 0.6, 0.99, 0.99, 0.01]), gold, share=1.0, rows=6)
    assert (found.weak, found.wrong) == (1, 0)
    assert len(found.rows) == 6  # what lacks is drawn


def test_an_expert_that_is_sure_of_everything_has_no_weak_data():
    gold = np.array([1, 0, 1, 0])
    sure = sure_of([0.99, 0.01, 0.99, 0.01])
    with pytest.raises(DataError, match=r"task 'tone': found no weak data: its expert errs on none of 4 .*share: 0"):
        mine(CLASSES, sure, gold)
    assert mine(CLASSES, sure, gold, share=0.0, rows=2).weak == 0


def test_contradicted_labels_are_suspected_and_can_be_dropped():
    gold = np.array([1] * 8 + [0] * 8)
    # Row 3 is called "yes", and the expert is as sure of "no" as of other rows of "no".
    p = np.array([0.9] * 8 + [0.1] * 8)
    p[3] = 0.02
    p[5] = 0.45  # wrong, but not sure of it
    predictions = sure_of(p)
    assert np.flatnonzero(make_analysis(CLASSES).is_noise(predictions, gold)).tolist() == [3]
    kept, dropped = (mine(CLASSES, predictions, gold, drop_noise=drop) for drop in (False, True))
    assert 3 in kept.rows
    assert 3 not in dropped.rows
    assert kept.suspected.tolist() == dropped.suspected.tolist() == [3]
    scores = np.linspace(-1, 1, 20)
    errors = np.array([0.0, 0.01, -0.01, 0.02] * 4 + [0.0, 0.01, -0.01, -1.9])
    assert make_analysis(SCORES).is_noise(scores + errors, scores).tolist() == [False] * 19 + [True]


def test_scores_are_wrong_by_a_quarter_of_the_range():
    gold = np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
    found = mine(SCORES, gold + np.array([0.0, 0.6, 0.0, -0.3, 0.0]), gold)
    assert found.wrong == 1
    assert {1, 3} < set(found.rows.tolist())


def test_labels_and_texts():
    gold = np.array([[1, 0], [0, 1], [0, 0], [1, 1]])
    predictions = np.array([[0.99, 0.01], [0.3, 0.99], [0.01, 0.01], [0.99, 0.2]])
    found = mine(LABELS.replace(thresholds=(0.5, 0.5)), predictions, gold)
    assert (found.wrong, found.weak) == (1, 2)
    assert {1, 3} <= set(found.rows.tolist())
    texts = np.array(["a good film", "bad", "so so", "no film"], dtype=object)
    told = np.array(["a good film", "good", "so so", "film"], dtype=object)
    found = mine(TEXTS, told, texts, rows=2, share=1.0)
    assert found.rows.tolist() == [1, 3]
    assert (found.wrong, len(found.suspected)) == (1, 0)
