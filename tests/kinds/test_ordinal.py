"""Classes in order: labels, CORN, predictions, and what is known without a model."""

import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from equipoise.kinds import LabelError, Ordinal, get_kind, make_analysis, make_objective, task_from_dict
from equipoise.kinds.probes import OrdinalProbe

SCALE = ("very negative", "negative", "neutral", "positive", "very positive")
LOGITS = st.lists(st.lists(st.floats(-30, 30), min_size=4, max_size=4), min_size=1, max_size=6)


def ordinal(**options):
    return Ordinal("opinion", "source", "text", None, "label", "qwk", **options)


def numbered(n_classes, labels=(0, 1)):
    task = ordinal(classes=tuple(str(number) for number in range(n_classes)))
    return task.fit([str(label) for label in labels])


class TestLabels:
    def test_numbers_are_ordered_by_value(self):
        task = ordinal()
        labels = [task.parse(cell) for cell in (10, "9", 1.0, "2.5")]
        assert task.fit(labels).classes == ("1", "2.5", "9", "10")
        assert task.fit(["1", "-1", "0"]).classes == ("-1", "0", "1")

    def test_listed_classes_keep_their_order_and_one_may_be_on_no_training_row(self):
        task = ordinal(classes=SCALE).fit(["positive", "negative", "negative"])
        assert task.classes == SCALE
        assert [task.encode(name) for name in SCALE] == [0, 1, 2, 3, 4]

    @pytest.mark.parametrize("cell", ["good", "nan", "one star", "1_0"])
    def test_texts_need_a_list(self, cell):
        with pytest.raises(LabelError, match=rf"found '{cell}', expected a number; classes that .* \(classes\)"):
            ordinal().parse(cell)

    def test_what_is_not_listed_is_refused(self):
        with pytest.raises(LabelError, match="found class 'good', expected one of 'very negative', 'negative'"):
            ordinal(classes=SCALE).parse("good")
        with pytest.raises(LabelError, match="found class '6', which train does not have"):
            ordinal().fit(["1", "5"]).encode("6")

    @pytest.mark.parametrize("cell", [None, "", "  ", math.nan])
    def test_an_empty_cell_is_refused(self, cell):
        with pytest.raises(LabelError, match="expected a class"):
            ordinal().parse(cell)

    @pytest.mark.parametrize("task", [ordinal(), ordinal(classes=("1", "2", "3"))])
    def test_one_class_only_is_refused(self, task):
        with pytest.raises(LabelError, match="every training label is '2', expected two classes or more"):
            task.fit(["2", "2"])

    @pytest.mark.parametrize(
        ("labels", "merged"),
        [(["2", "10"], "2"), (["10", "9", "2"], "9"), (["1", "1", "10", "10"], "1"), (["1", "10", "10"], "10")],
    )
    def test_repeated_texts_have_the_lower_median(self, labels, merged):
        assert ordinal().merge(labels) == merged
        assert ordinal(classes=("1", "2", "9", "10")).merge(labels) == merged

    def test_the_median_follows_the_list_and_not_the_alphabet(self):
        assert ordinal(classes=SCALE).merge(["negative", "neutral", "very positive"]) == "neutral"
        assert "median" in ordinal().merge_rule

    def test_words_for_a_language_model_are_by_class(self):
        task = ordinal(classes=("1", "2"), verbalize={"2": "good"}).fit(["1", "2"])
        assert task.questions()[0].answers == ("1", "good")
        assert task.correct_answers(1) == ["good"]
        with pytest.raises(LabelError, match="`verbalize` names the class '3', expected one of '1', '2'"):
            ordinal(classes=("1", "2"), verbalize={"3": "best"}).fit(["1", "2"])

    def test_another_order_contradicts_a_model(self):
        trained = ordinal(classes=("a", "b", "c"))
        assert ordinal(classes=("c", "b", "a")).contradiction(trained).startswith("classes: found 'c', 'b', 'a', exp")
        assert ordinal().contradiction(trained) == ordinal(classes=("a ", "b", "c")).contradiction(trained) == ""

    def test_a_task_survives_json_and_damage_is_found(self):
        task = ordinal(verbalize={"1": "bad"}).fit(["1", "2", "2", "3"])
        assert task_from_dict(json.loads(json.dumps(task.to_dict()))) == task
        assert task.find_problem() == ""
        assert task.replace(decisions=math.nan).find_problem().startswith("decisions: found nan")
        assert task.replace(classes=("1",)).find_problem().startswith("classes: found 1")
        assert task.summary == "ordinal, 1 to 3"


def reference_loss(logits, labels):
    """Equation 5 of Shi, Cao and Raschka (2021), example by example: over all outputs and the rows that reach them."""
    total, decided = 0.0, 0
    for row, label in zip(logits.double().tolist(), labels.tolist(), strict=True):
        for k, logit in enumerate(row):
            if label > k - 1:
                chance = 1 / (1 + math.exp(-logit))
                total -= math.log(chance if label > k else 1 - chance)
                decided += 1
    return total / decided


class TestCorn:
    @pytest.mark.parametrize("n_classes", [2, 3, 7])
    def test_the_mean_over_train_is_the_papers_loss(self, n_classes):
        draw = torch.Generator().manual_seed(n_classes)
        logits = 3 * torch.randn(50, n_classes - 1, generator=draw)
        labels = torch.randint(0, n_classes, (50,), generator=draw)
        found = make_objective(numbered(n_classes, labels.tolist())).loss(logits, labels)
        assert found.shape == (50,)
        assert float(found.mean()) == pytest.approx(reference_loss(logits, labels), rel=1e-5)

    def test_what_the_package_coral_pytorch_gives(self):
        """Its version 1.4.0: `corn_loss` and `corn_label_from_logits`."""
        logits = torch.tensor(
            [
                *([14.152, -6.1942, 0.47710, 0.96850], [65.667, 0.303, 11.5, -4.524]),
                *([-1.2, 0.4, 2.0, 0.1], [0.7, 0.9, -0.3, 1.5]),
            ]
        )
        labels = torch.tensor([2, 3, 0, 4])
        task = numbered(5, labels.tolist())
        assert float(make_objective(task).loss(logits, labels).mean()) == pytest.approx(0.8152826, abs=1e-6)
        assert task.decide(make_objective(task).predict(logits).numpy()).argmax(axis=1).tolist() == [1, 3, 0, 1]

    def test_a_model_that_knows_nothing_has_a_loss_of_ln_2(self):
        labels = torch.tensor([0, 0, 1, 3, 2, 3, 1])
        loss = make_objective(numbered(4, labels.tolist())).loss(torch.zeros(7, 3), labels)
        assert float(loss.mean()) == pytest.approx(math.log(2))

    def test_the_loss_of_a_row_is_its_classs_and_no_other_rows(self):
        task = numbered(4, [0, 1, 2, 3])
        objective, logits = make_objective(task), torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
        labels = torch.tensor([3, 0, 1, 1, 2])
        expected = F.nll_loss(objective.predict(logits).log(), labels, reduction="none") / task.decisions
        torch.testing.assert_close(objective.loss(logits, labels), expected)
        torch.testing.assert_close(objective.loss(logits[2:3], labels[2:3]), expected[2:3])

    def test_an_output_learns_from_rows_that_are_no_lower(self):
        logits = torch.zeros(4, 3, requires_grad=True)
        make_objective(numbered(4)).loss(logits, torch.tensor([0, 1, 2, 3])).sum().backward()
        assert (logits.grad != 0).tolist() == [[True, False, False], [True, True, False], [True] * 3, [True] * 3]

    @given(LOGITS)
    def test_probabilities_sum_to_one_and_more_is_never_more_probable(self, logits):
        probabilities = make_objective(numbered(5)).predict(torch.tensor(logits)).double()
        torch.testing.assert_close(probabilities.sum(dim=1), torch.ones(len(logits)).double(), atol=1e-6, rtol=0)
        assert (probabilities >= 0).all()
        above = torch.tensor(logits).double().sigmoid().cumprod(dim=1)
        torch.testing.assert_close(probabilities.flip(1).cumsum(dim=1).flip(1)[:, 1:], above, atol=1e-6, rtol=0)

    @given(LOGITS)
    def test_the_predicted_class_is_where_the_chained_probabilities_fall_to_one_half(self, logits):
        task = numbered(5)
        above = torch.tensor(logits).double().sigmoid().cumprod(dim=1)
        if (above - 0.5).abs().min() < 1e-6:
            return  # rounding decides
        probabilities = make_objective(task).predict(torch.tensor(logits)).numpy()
        decided = task.decide(probabilities)
        assert decided.sum(axis=1).tolist() == [1] * len(logits)
        assert decided.argmax(axis=1).tolist() == (above > 0.5).sum(dim=1).tolist()
        assert [task.classes.index(task.answer(row)["label"]) for row in probabilities] == decided.argmax(1).tolist()

    @given(LOGITS)
    def test_answers_of_a_language_model_keep_their_softmax(self, scores):
        objective, scores = make_objective(numbered(4)), torch.tensor(scores)
        outputs = objective.from_answers(scores)
        torch.testing.assert_close(objective.predict(outputs), scores.softmax(dim=1), atol=1e-5, rtol=1e-4)
        found = objective.log_probabilities(outputs, scores)
        assert found.shape == (len(scores), 1, 4)
        torch.testing.assert_close(found[:, 0], scores.log_softmax(dim=1), atol=2e-5, rtol=1e-4)

    def test_extreme_logits_stay_finite(self):
        logits = torch.tensor([[1e4, -1e4, 1e4], [-1e4, 1e4, 1e4]], requires_grad=True)
        objective = make_objective(numbered(4))
        objective.loss(logits, torch.tensor([1, 0])).sum().backward()
        assert torch.isfinite(logits.grad).all()
        assert objective.predict(logits).argmax(dim=1).tolist() == [1, 0]


def test_the_answer():
    answer = ordinal(classes=SCALE).answer(np.array([0.1, 0.1, 0.2, 0.35, 0.25]))
    assert answer["label"] == "positive"
    assert answer["expected_rank"] == pytest.approx(0.1 + 0.2 + 0.6 + 1.4 + 1.25)
    assert list(answer["probabilities"]) == list(SCALE)
    # The median, not the most probable class; of two medians the lower.
    assert ordinal(classes=SCALE).answer(np.array([0.4, 0, 0.25, 0, 0.35]))["label"] == "neutral"
    assert ordinal(classes=("a", "b")).answer(np.array([0.5, 0.5]))["label"] == "a"


class TestAnalysis:
    TASK = ordinal(classes=("1", "2", "3", "4", "5"))

    def test_the_best_constant_is_the_median(self):
        labels = np.array([0, 0, 0, 3, 4, 4])
        found = make_analysis(self.TASK).majority(labels, 2)
        assert found.tolist() == np.eye(5)[[0, 0]].tolist()
        errors = [np.abs(labels - constant).mean() for constant in range(5)]
        assert errors[0] == min(errors)
        metrics = get_kind("ordinal").metrics_by_name
        assert metrics["qwk"](labels, np.eye(5)[[2] * 6]) == 0

    def test_a_lexicon_is_brought_to_ranks(self):
        polarity = {"bad": -1.0, "so": 0.0, "good": 1.0, "best": 5.0}
        texts = ["bad", "so", "good"]

        def lexicon(given):
            return np.array([polarity[text] for text in given])

        labels = np.array([0, 2, 4])
        found = make_analysis(self.TASK).by_lexicon(lexicon, ["good", "best", "bad", "so"], texts, labels)
        assert found.argmax(axis=1).tolist() == [4, 4, 0, 2]

    def test_rarity_distance_and_errors(self):
        analysis = make_analysis(self.TASK)
        assert analysis.rarity(np.array([4, 4, 0, 4])) == pytest.approx([-np.log2(0.75)] * 2 + [2.0, -np.log2(0.75)])
        predictions = np.array([[1.0, 0, 0, 0, 0], [0.0, 0, 0, 0.5, 0.5], [0.2] * 5])
        gold = np.array([4, 3, 2])
        assert analysis.distance(predictions, gold) == pytest.approx([1.0, 0.125, 0.3])
        assert analysis.is_wrong(predictions, gold).tolist() == [True, False, False]

    def test_a_sure_contradiction_is_noise(self):
        sure = np.eye(5)[[0] * 6 + [4] * 6] * 0.9 + 0.02
        gold = np.array([0] * 6 + [4] * 5 + [0])
        assert make_analysis(self.TASK).is_noise(sure, gold).tolist() == [False] * 11 + [True]

    def test_parts_are_classes(self):
        gold = np.array([0, 0, 4])
        decided = np.eye(5)[[[0, 1, 4], [0, 0, 4]]]
        first, *_, last = make_analysis(self.TASK).score_parts(gold, decided)
        assert first == {"recall": pytest.approx(0.75), "f1": pytest.approx((2 / 3 + 1) / 2)}
        assert last == {"recall": 1.0, "f1": 1.0}
        assert [part["items"] for part in make_analysis(self.TASK).describe_parts(gold)] == [2, 0, 0, 0, 1]


class TestProbe:
    def test_it_is_a_logistic_regression_for_each_output(self):
        from sklearn.linear_model import LogisticRegression
        from sklearn.preprocessing import StandardScaler

        draw = np.random.default_rng(0)
        features = draw.normal(size=(80, 4))
        labels = np.clip(np.rint(features[:, 0] * 1.5 + 1.5 + draw.normal(size=80) / 2), 0, 3).astype(int)
        found = OrdinalProbe(10.0, 4).fit(features, labels).predict(features)
        scaled = StandardScaler().fit_transform(features)
        reached, expected = np.ones(80), []
        for k in range(3):
            rows = labels >= k
            model = LogisticRegression(C=0.1, max_iter=1000).fit(scaled[rows], labels[rows] > k)
            higher = model.predict_proba(scaled)[:, 1]
            expected.append(reached * (1 - higher))
            reached = reached * higher
        np.testing.assert_allclose(found, np.stack([*expected, reached], axis=1), atol=1e-9)

    def test_classes_that_no_training_row_has_are_never_predicted(self):
        features, labels = np.random.default_rng(1).normal(size=(30, 3)), np.array([1, 3] * 15)
        found = OrdinalProbe(1.0, 6).fit(features, labels).predict(features)
        np.testing.assert_allclose(found.sum(axis=1), 1)
        assert found[:, [0, 2, 4, 5]].max() == 0
