"""The order of the rows under a curriculum."""

from collections import Counter

import numpy as np
import pytest

from equipoise.config import CurriculumConfig
from equipoise.curriculum import Curriculum, CurriculumSampler

SIZES = {"big": 600, "small": 200}
SOURCES = [name for name, size in SIZES.items() for _ in range(size)]
ROWS = {"big": np.arange(600), "small": np.arange(600, 800)}
GENERATOR = np.random.default_rng(0)
DIFFICULTY = {name: GENERATOR.permutation(size) for name, size in SIZES.items()}
LENGTHS = GENERATOR.integers(1, 100, 800)


def make(schedule, epochs=4, batch_size=8, seed=0, tau=0.5, accumulation=1, **options):
    steps = epochs * -(-800 // (batch_size * accumulation))
    curriculum = Curriculum(
        CurriculumConfig(schedule=schedule, **options), DIFFICULTY, ROWS, ["small", "big"], 800, steps
    )
    sampler = CurriculumSampler(LENGTHS, SOURCES, batch_size, curriculum, tau, seed, accumulation)
    return sampler, curriculum


def orders(sampler, epochs):
    found = []
    for epoch in epochs:
        sampler.set_epoch(epoch)
        found.append(list(sampler))
    return found


@pytest.mark.parametrize("schedule", ["competence", "anti", "mixed", "sequential"])
@pytest.mark.parametrize("accumulation", [1, 3])
def test_every_step_draws_what_it_may(schedule, accumulation):
    sampler, curriculum = make(schedule, accumulation=accumulation)
    step = 0
    for order in orders(sampler, range(4)):
        assert len(order) == len(sampler) == 800
        for start in range(0, 800, 8 * accumulation):
            allowed = curriculum.drawable(curriculum.stage(step))
            assert allowed[order[start : start + 8 * accumulation]].all()
            step += 1
    assert step == curriculum.steps


@pytest.mark.parametrize("schedule", ["competence", "sequential"])
def test_the_order_depends_on_arguments_and_epoch_only(schedule):
    whole = orders(make(schedule)[0], range(4))
    sampler, _ = make(schedule)
    assert orders(sampler, [2, 0, 2, 3, 1]) == [whole[epoch] for epoch in (2, 0, 2, 3, 1)]
    assert orders(make(schedule, seed=1)[0], [0]) != whole[:1]


def test_sources_get_their_share_by_rows_to_the_tau():
    sampler, _ = make("competence", tau=0.5)
    share = 600**0.5 / (600**0.5 + 200**0.5)
    for order in orders(sampler, range(4)):
        assert abs(Counter(SOURCES[row] for row in order)["big"] - 800 * share) < 12


def test_difficulty_grows_and_in_the_end_all_rows_come_alike():
    order = np.array(orders(make("competence", full=0.5)[0], range(4)))
    ranks = np.concatenate([DIFFICULTY[name] / size for name, size in SIZES.items()])
    means = ranks[order.reshape(16, 200)].mean(axis=1)
    assert means[0] < 0.2
    assert (np.diff(means[:6]) > -0.02).all()
    assert abs(means[8:].mean() - 0.5) < 0.03
    # Every row of a source is drawn before any of them is drawn again.
    late = Counter(order[2:].ravel().tolist())
    counts = [late[row] for row in range(600)]
    assert max(counts) - min(counts) <= 2


def test_within_the_share_draws_are_even():
    sampler, curriculum = make("competence", start=0.5, full=1.0, tau=1.0)
    (order,) = orders(sampler, [0])
    early = np.array(order[:80])
    allowed = np.flatnonzero(curriculum.drawable(curriculum.stage(0)))
    assert len(set(early.tolist())) == 80
    assert set(early.tolist()) <= set(allowed.tolist())


def test_anti_begins_hard():
    order = np.array(orders(make("anti")[0], [0])[0])
    ranks = np.concatenate([DIFFICULTY[name] / size for name, size in SIZES.items()])
    assert ranks[order[:200]].mean() > 0.8


def test_stages_draw_from_their_tasks():
    first, second, third, last = orders(make("sequential")[0], range(4))
    assert {SOURCES[row] for row in first + second} == {"small"}
    assert {SOURCES[row] for row in third + last} == {"big"}
    # 800 draws of 200 rows: each four times.
    assert set(Counter(first).values()) == {4}
    first, _, third, _ = orders(make("mixed")[0], range(4))
    assert {SOURCES[row] for row in first} == {"small"}
    assert {SOURCES[row] for row in third} == {"small", "big"}


def test_batches_hold_similar_lengths():
    (order,) = orders(make("mixed")[0], [3])
    batches = LENGTHS[np.array(order)].reshape(-1, 8)
    assert np.ptp(batches, axis=1).mean() < 10
    assert np.ptp(LENGTHS[np.random.default_rng(0).permutation(order)].reshape(-1, 8), axis=1).mean() > 60
