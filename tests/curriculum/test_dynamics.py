"""Training dynamics of labels that are easy, hard and wrong."""

import numpy as np

from equipoise.curriculum import measure_dynamics
from equipoise.kinds import Classification, Multilabel, Regression

COMMON = ("s", "text", None, "label")
POLARITY = Classification("c", *COMMON, "macro_f1", ("a", "b"))
LABELS = np.array([0, 1] * 200)
FEATURES = np.where(LABELS, 1.0, -1.0)[:, None] + np.random.default_rng(0).normal(scale=0.3, size=(400, 4))


def test_a_wrong_label_is_never_learnt():
    labels = np.where(np.arange(400) == 3, 0, LABELS)
    found = measure_dynamics(POLARITY, FEATURES, labels, epochs=20)
    assert found.confidence.argmin() == 3
    assert not found.learnt[3]
    assert np.delete(found.learnt, 3).mean() > 0.95
    assert found.confidence.mean() > 0.7


def test_statistics_over_epochs_by_hand(monkeypatch):
    # p(gold) of two rows over four epochs.
    epochs = iter([[0.2, 0.9], [0.6, 0.8], [0.4, 0.9], [0.8, 0.4]])

    class Model:
        def __init__(self, **options):
            pass

        def partial_fit(self, features, target, classes):
            return self

        def predict_proba(self, features):
            gold = np.array(next(epochs))
            return np.stack([gold, 1 - gold], axis=1)

    monkeypatch.setattr("sklearn.neural_network.MLPClassifier", Model)
    found = measure_dynamics(POLARITY, np.eye(2), np.array([0, 0]), epochs=4)
    np.testing.assert_allclose(found.confidence, [0.5, 0.75])
    np.testing.assert_allclose(found.variability, [np.sqrt(0.05), np.std([0.9, 0.8, 0.9, 0.4])])
    # The first is forgotten in the third epoch, the second in the fourth.
    assert found.forgetting.tolist() == [1, 1]
    assert found.learnt.tolist() == [True, True]


def test_the_same_seed_gives_the_same():
    one, other = (measure_dynamics(POLARITY, FEATURES, LABELS, seed=1) for _ in range(2))
    np.testing.assert_array_equal(one.confidence, other.confidence)
    assert (one.confidence != measure_dynamics(POLARITY, FEATURES, LABELS, seed=2).confidence).any()


def test_scores_and_several_labels():
    scores = FEATURES[:, 0]
    task = Regression("r", *COMMON, "pearson", mean=float(scores.mean()), std=float(scores.std()))
    outlier = np.where(np.arange(400) == 5, -scores, scores)
    found = measure_dynamics(task, FEATURES, outlier, epochs=30)
    assert found.confidence.argmin() == 5
    assert not found.learnt[5]
    assert ((found.confidence > 0) & (found.confidence <= 1)).all()
    labels = np.stack([LABELS, 1 - LABELS, LABELS], axis=1)
    several = measure_dynamics(Multilabel("m", *COMMON, "macro_f1", ("a", "b", "c")), FEATURES, labels, epochs=80)
    assert several.learnt.mean() > 0.95
    assert several.confidence.mean() > 0.7
