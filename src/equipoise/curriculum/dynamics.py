"""Training dynamics: how an example's label is learnt over the epochs of a cheap training."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from equipoise.kinds import Task, make_analysis

from .ranks import Floats

EPOCHS = 20
_BATCH = 32
_RATE = 1e-3


class Dynamics(NamedTuple):
    """How a task's examples are learnt.

    Args:
        confidence: mean over epochs of p(gold), shape (rows,).
        variability: its standard deviation over epochs, shape (rows,).
        forgetting: how often an epoch gets wrong what the one before got right, shape (rows,).
        learnt: whether any epoch gets it right, shape (rows,).
    """

    confidence: Floats
    variability: Floats
    forgetting: npt.NDArray[np.int64]
    learnt: npt.NDArray[np.bool_]


def measure_dynamics(
    task: Task, features: Floats, labels: npt.NDArray[Any], seed: int = 0, epochs: int = EPOCHS
) -> Dynamics:
    """Measure confidence and variability (data cartography; Swayamdipta et al., 2020, arXiv 2009.10795) and forgetting.

    Forgetting is counted after Toneva et al. (2019, arXiv 1812.05159). The papers record a model's own fine-tuning;
    here, our design, it is Adam on a linear model of standardized frozen features (scikit-learn's `MLPClassifier` and
    `MLPRegressor` without hidden layers), and everything is recorded at the end of each epoch. For scores p(gold) is
    exp(−z²/2), z the error in standard deviations of the labels, and |z| ≤ ½ counts as right. Of a multilabel example
    p(gold) is the mean over the labels, and right means all of them.

    Args:
        task: the task, its label space resolved; not generation.
        features: rows × width.
        labels: as `Table.labels` returns them.
        seed: seed of the first weights and of the order.
        epochs: how many.
    """
    from sklearn.preprocessing import StandardScaler

    scaled = StandardScaler().fit_transform(features)
    options: Any = {
        "hidden_layer_sizes": (),
        "batch_size": min(_BATCH, len(labels)),
        "learning_rate_init": _RATE,
        "random_state": seed,
    }
    gold, right = make_analysis(task).learning_curves(scaled, labels, options, epochs)
    return Dynamics(gold.mean(0), gold.std(0), (right[:-1] & ~right[1:]).sum(0), np.asarray(right.any(0)))
