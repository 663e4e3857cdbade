"""How much each task would help a target: an estimate from the gradients of one jointly trained model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .gradients import Floats, RowLosses
from .plan import Pair

_PENALTIES = (0.01, 0.1, 1.0, 10.0)
_LEAST = 1e-8
"""Losses below it count as it: the root of a loss has no slope at 0."""


class Gain(NamedTuple):
    """By how many percent of itself the target's loss on dev is lower with a helper, and the 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class TaskEvidence:
    """What an estimate knows of a task.

    Args:
        train: losses and gradients of training rows.
        dev: those of dev rows; None for a task that is no target.
    """

    train: RowLosses
    dev: RowLosses | None


class _Model(NamedTuple):
    """Rows under the linear model: √loss of each, shape (n,), and its slope, shape (n, dimensions)."""

    roots: Floats
    slopes: Floats


def estimate_gains(
    evidence: Mapping[str, TaskEvidence], pairs: Sequence[Pair], seed: int, resamples: int = 100
) -> dict[Pair, Gain]:
    """Estimate how much each pair's helper would lower the loss of its target on dev.

    As in Grad-TAG (Li et al. 2024, arXiv 2409.06091), training from the joint model is replaced by fitting a model that
    is linear in the projected gradients. There it is a logistic regression. Here √loss is linear in the change δ of the
    parameters, so that any kind of task has a least-squares problem with one solution (a Gauss–Newton step; our
    design):

        δ_T = argmin Σ_{t ∈ T} mean_i (√ℓ_i + a_i·δ)² + λ‖δ‖²,   a_i = ∇ℓ_i / (2√ℓ_i).

    It is solved for the target alone and for target and helper, from their training rows. The estimate is the
    difference of the target's loss under the two solutions, on dev. λ, in units of the target's mean curvature, is the
    one of four at which the target alone has the lowest loss on dev; the helper has no part in the choice. The interval
    is the percentile bootstrap's over training and dev rows; it does not hold what a training owes to chance.

    Args:
        evidence: by task its losses and gradients; targets have some of dev.
        pairs: the pairs.
        seed: seed of the resamples.
        resamples: how many stand behind the intervals.
    """
    models = {name: _linear(found.train) for name, found in evidence.items()}
    targets = {pair.target: _linear(_dev(evidence[pair.target])) for pair in pairs}
    plain = _solve_all(models, targets, pairs, None)
    generator = np.random.default_rng(seed)
    drawn = [_solve_all(models, targets, pairs, generator) for _ in range(resamples)]
    gains = {}
    for pair in pairs:
        low, high = np.quantile([sample[pair] for sample in drawn], (0.025, 0.975))
        gains[pair] = Gain(plain[pair], float(low), float(high))
    return gains


def _dev(found: TaskEvidence) -> RowLosses:
    assert found.dev is not None  # of every target
    return found.dev


def _linear(found: RowLosses) -> _Model:
    roots = np.sqrt(np.maximum(found.losses, _LEAST))
    return _Model(roots, found.gradients / (2 * roots[:, None]))


class _Normal(NamedTuple):
    """The normal equations of a task: mean a aᵀ, and mean √ℓ a."""

    matrix: Floats
    vector: Floats


def _solve_all(
    models: Mapping[str, _Model],
    targets: Mapping[str, _Model],
    pairs: Sequence[Pair],
    generator: np.random.Generator | None,
) -> dict[Pair, float]:
    """Return every pair's gain in percent, on all rows or on a resample of them."""
    equations = {name: _normal(_draw(model, generator)) for name, model in models.items()}
    dev = {name: _draw(model, generator) for name, model in targets.items()}
    gains: dict[Pair, float] = {}
    for target, rows in dev.items():
        own = equations[target]
        scale = max(np.trace(own.matrix) / len(own.vector), _LEAST)
        alone = {penalty: _loss(rows, _solve(own, penalty * scale)) for penalty in _PENALTIES}
        penalty = min(alone, key=alone.__getitem__)
        for pair in pairs:
            if pair.target == target:
                other = equations[pair.helper]
                both = _Normal(own.matrix + other.matrix, own.vector + other.vector)
                loss = _loss(rows, _solve(both, penalty * scale))
                gains[pair] = float(100 * (alone[penalty] - loss) / alone[penalty])
    return gains


def _draw(model: _Model, generator: np.random.Generator | None) -> _Model:
    if generator is None:
        return model
    rows = generator.integers(len(model.roots), size=len(model.roots))
    return _Model(model.roots[rows], model.slopes[rows])


def _normal(model: _Model) -> _Normal:
    count = len(model.roots)
    return _Normal(model.slopes.T @ model.slopes / count, model.slopes.T @ model.roots / count)


def _solve(equations: _Normal, penalty: float) -> Floats:
    """Return δ."""
    matrix = equations.matrix + penalty * np.eye(len(equations.vector))
    return np.asarray(-np.linalg.solve(matrix, equations.vector))


def _loss(model: _Model, change: Floats) -> float:
    return float(np.mean((model.roots + model.slopes @ change) ** 2))
