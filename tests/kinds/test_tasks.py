import json
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from equipoise.kinds import Classification, LabelError, Regression, task_from_dict


def regression(**options):
    return Regression("intensity", "source", "text", None, "score", "pearson", **options)


def classification(**options):
    return Classification("polarity", "source", "text", None, "label", "macro_f1", **options)


class TestRegression:
    def test_parses_numbers_and_numbers_as_text(self):
        assert regression().parse("0.5") == 0.5
        assert regression().parse(-1) == -1.0

    @pytest.mark.parametrize("cell", ["good", None, "", math.nan, "nan", math.inf, True, [1], 10**400, "1e39"])
    def test_refuses_what_is_no_finite_number(self, cell):
        with pytest.raises(LabelError, match=r"expected a (finite )?number"):
            regression().parse(cell)

    def test_refuses_a_score_outside_the_range(self):
        task = regression(range=(-1.0, 1.0))
        assert task.parse(1) == 1.0
        with pytest.raises(LabelError, match=r"found 1.5, expected a number from -1 to 1"):
            task.parse(1.5)

    def test_fit_takes_mean_and_population_deviation(self):
        task = regression().fit([1.0, 3.0])
        assert (task.mean, task.std) == (2.0, 1.0)

    def test_fit_refuses_scores_that_do_not_differ(self):
        with pytest.raises(LabelError, match="every training label is 2"):
            regression().fit([2.0, 2.0])
        with pytest.raises(LabelError, match=r"every training label is 0\.1"):
            regression().fit([0.1] * 3)  # whose computed deviation is not 0

    @pytest.mark.parametrize("size", [1e200, 1e-200])
    def test_fit_refuses_scores_that_32_bits_do_not_hold(self, size):
        with pytest.raises(LabelError, match=r"the training labels go from 0 to 1e[+-]200"):
            regression().fit([0.0, size])


class TestClassification:
    def test_finds_the_classes_in_order(self):
        assert classification().fit(["b", "a", "b"]).classes == ("a", "b")
        assert classification().fit(["10", "9", "1"]).classes == ("1", "9", "10")

    def test_numbers_become_names(self):
        assert classification().parse(5.0) == "5"
        assert classification().parse(5) == "5"

    def test_stated_classes_keep_their_order_and_are_the_only_ones(self):
        task = classification(classes=("low", "high"))
        assert task.fit(["high", "low"]).classes == ("low", "high")
        with pytest.raises(LabelError, match="found class 'mid', expected one of 'low', 'high'"):
            task.parse("mid")

    @pytest.mark.parametrize("cell", [None, "", "  ", math.nan])
    def test_refuses_an_empty_cell(self, cell):
        with pytest.raises(LabelError, match="expected a class"):
            classification().parse(cell)

    @pytest.mark.parametrize("cell", ["nan", "NaN", " NAN "])
    def test_nan_is_a_class_only_where_it_is_listed(self, cell):
        with pytest.raises(LabelError, match=f"found '{cell.strip()}', expected a class"):
            classification().parse(cell)
        assert classification(classes=("a", cell.strip())).parse(cell) == cell.strip()

    def test_refuses_one_class_only(self):
        with pytest.raises(LabelError, match="every training label is 'a'"):
            classification().fit(["a", "a"])
        with pytest.raises(LabelError, match="every training label is 'high'"):
            classification(classes=("low", "high")).fit(["high", "high"])

    def test_refuses_a_class_that_train_lacks(self):
        with pytest.raises(LabelError, match="found class 'c', which train does not have"):
            classification().fit(["a", "b"]).encode("c")

    def test_a_score_on_a_threshold_belongs_to_the_class_above(self):
        task = classification(classes=("neg", "neu", "pos"), from_score=True, thresholds=(-0.2, 0.2))
        assert [task.encode(score) for score in (-0.21, -0.2, 0.0, 0.2)] == [0, 1, 1, 2]

    def test_automatic_thresholds_balance_the_classes(self):
        task = classification(classes=("neg", "neu", "pos"), from_score=True).fit([1, 2, 3, 4, 5, 6])
        assert task.thresholds == (2.5, 4.5)

    @given(st.lists(st.integers(0, 12), min_size=3), st.integers(2, 4))
    def test_automatic_thresholds_leave_no_class_empty_and_split_no_equal_scores(self, scores, n_classes):
        task = classification(classes=tuple("abcd"[:n_classes]), from_score=True)
        if len(set(scores)) < n_classes:
            with pytest.raises(LabelError, match="thresholds: auto found"):
                task.fit(scores)
            return
        fitted = task.fit(scores)
        assert {fitted.encode(score) for score in scores} == set(range(n_classes))
        assert not set(fitted.thresholds) & set(scores)


@pytest.mark.parametrize(
    ("stated", "trained", "problem"),
    [
        (
            regression(range=(0.0, 10.0)),
            regression(range=(1.0, 5.0)),
            r"range: found \[0.0, 10.0\], expected \[1.0, 5.0\]",
        ),
        (regression().replace(pair="author"), regression(), "pair: found 'author', expected none"),
        (regression(), regression().replace(pair="author"), "pair: found none, expected the column"),
        (
            classification(classes=("x", "y")),
            classification(classes=("a", "b")),
            "classes: found 'x', 'y', expected 'a',",
        ),
        (
            classification(classes=("x", "y"), from_score=True, thresholds=(2.0,)),
            classification(classes=("x", "y"), from_score=True, thresholds=(3.0,)),
            "from_score.thresholds: found",
        ),
        (
            classification(classes=("y", "x"), from_score=True),
            classification(classes=("x", "y"), from_score=True, thresholds=(3.0,)),
            "from_score.classes: found 'y', 'x', expected 'x', 'y'",
        ),
        (classification(from_score=True), classification(classes=("x", "y")), "from_score: found one, expected none"),
        (classification(classes=("b", " a ")), classification(classes=("a", "b")), ""),
        (classification(), classification(classes=("a", "b")), ""),
        (classification(), regression(), "kind: found classification, expected regression"),
        (classification(), classification(classes=("a", "b"), from_score=True, thresholds=(1.0,)), ""),
        (regression().replace(pair="text two"), regression(range=(0.0, 1.0)).replace(pair="aspect"), ""),
    ],
)
def test_what_a_run_file_states_is_what_the_model_has(stated, trained, problem):
    assert re.match(problem or "$", stated.contradiction(trained))


@pytest.mark.parametrize(
    ("metric", "classes", "problem"),
    [
        ("f1(b)", ("b",), ""),
        ("mean_f1(a, b)", ("a", "b"), ""),
        ("accuracy", (), ""),
        ("f1(c)", ("c",), "metric: names the class 'c', which the task does not have. There is: 'a', 'b'."),
        ("mean_f1(a, a )", ("a", "a "), "metric: names the class 'a ' twice; expected different ones"),
        ("f1(a)", ("b",), "metric: found 'f1(a)', expected one of macro_f1"),
        ("f1(a)", (), "metric: found 'f1(a)', expected one of macro_f1"),
        ("accuracy(a)", ("a",), "metric: found 'accuracy(a)', expected one of macro_f1"),
        ("bleu", (), "metric: found 'bleu', expected one of macro_f1"),
    ],
)
def test_the_metric_of_a_task_from_a_file_is_one_it_has(metric, classes, problem):
    found = classification(classes=("a", "b")).replace(metric=metric, metric_classes=classes).find_problem()
    assert found.startswith(problem) if problem else found == ""


@pytest.mark.parametrize(
    "task",
    [
        classification(metric_classes=("a", "b")).replace(metric="mean_f1(a, b)").fit(["a", "b"]),
        regression(range=(-1.0, 1.0)).fit([0.0, 1.0]),
        classification().fit(["a", "b"]),
        classification(classes=("x", "y"), from_score=True).fit([1, 2]),
    ],
)
def test_a_task_survives_json(task):
    assert task_from_dict(json.loads(json.dumps(task.to_dict()))) == task
