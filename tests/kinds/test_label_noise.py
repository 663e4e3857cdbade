"""Labels are called wrong only by a model that knows something and is sure."""

import numpy as np
import pytest

from equipoise.kinds import Classification, Multilabel, Ordinal, Regression, make_analysis

COMMON = ("tone", "tweets", "text", None, "label")
CLASSES = Classification(*COMMON, "macro_f1", ("bad", "fair", "good"))
RANKS = Ordinal(*COMMON, "qwk", ("1", "2", "3"))
LABELS = Multilabel(*COMMON, "macro_f1", ("joy", "rage"))
SCORES = Regression(*COMMON, "pearson", (-1.0, 1.0))
PLANTED = [7, 70, 120]


def draw_classes(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, n, 150)


def plant(gold: np.ndarray, most: int) -> np.ndarray:
    wrong = gold.copy()
    wrong[PLANTED] = most - gold[PLANTED]
    return wrong


@pytest.mark.parametrize("task", [CLASSES, RANKS], ids=["classification", "ordinal"])
def test_a_flat_model_contradicts_no_class(task) -> None:
    noise = np.random.default_rng(1).uniform(0, 0.06, (150, 3))
    flat = (1 + noise) / (1 + noise).sum(axis=1, keepdims=True)
    assert not make_analysis(task).is_noise(flat, draw_classes(3)).any()


@pytest.mark.parametrize("task", [CLASSES, RANKS], ids=["classification", "ordinal"])
def test_a_sure_model_at_chance_contradicts_no_class(task) -> None:
    sure = np.eye(3)[draw_classes(3, seed=1)] * 0.85 + 0.05
    assert not make_analysis(task).is_noise(sure, draw_classes(3)).any()


@pytest.mark.parametrize("task", [CLASSES, RANKS], ids=["classification", "ordinal"])
def test_a_good_model_finds_planted_classes(task) -> None:
    truth = np.tile([0, 2], 75)
    predictions = np.eye(3)[truth] * 0.85 + 0.05
    predictions[10] = [0.1, 0.45, 0.45]  # wrong or unsure: the answer, not the label
    assert np.flatnonzero(make_analysis(task).is_noise(predictions, plant(truth, 2))).tolist() == PLANTED


def test_labels_that_apply() -> None:
    truth = np.stack([draw_classes(2, seed) for seed in (2, 3)], axis=1)
    good = truth * 0.8 + 0.1
    flat = np.random.default_rng(4).uniform(0.48, 0.52, (150, 2))
    sure = draw_classes(2, seed=5)[:, None].repeat(2, axis=1) * 0.8 + 0.1
    planted = truth.copy()
    planted[PLANTED, 1] = 1 - truth[PLANTED, 1]
    analysis = make_analysis(LABELS)
    assert np.flatnonzero(analysis.is_noise(good, planted)).tolist() == PLANTED
    assert not analysis.is_noise(flat, truth).any()
    assert not analysis.is_noise(sure, truth).any()


def test_scores() -> None:
    generator = np.random.default_rng(6)
    truth = np.where(np.arange(150) % 30 == 7, 0.95, generator.normal(0, 0.1, 150))
    planted = truth.copy()
    planted[PLANTED] = -0.95
    analysis = make_analysis(SCORES)
    assert np.flatnonzero(analysis.is_noise(truth + generator.normal(0, 0.02, 150), planted)).tolist() == PLANTED
    assert not analysis.is_noise(np.full(150, truth.mean()) + generator.normal(0, 0.01, 150), truth).any()
