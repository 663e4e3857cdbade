from collections import Counter

import numpy as np
import pytest
from accelerate import Accelerator
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from equipoise.data import MixedLengthSampler

rows = st.lists(st.tuples(st.integers(1, 50), st.sampled_from("abc")), min_size=1, max_size=60)


def sampler(rows, batch_size=4, **options):
    return MixedLengthSampler([n for n, _ in rows], [source for _, source in rows], batch_size, **options)


@given(rows, st.integers(1, 9), st.integers(0, 5))
def test_by_size_every_row_comes_once(rows, batch_size, epoch):
    order = sampler(rows, batch_size, tau=1.0)
    order.set_epoch(epoch)
    assert sorted(order) == list(range(len(rows)))


@given(rows, st.floats(0, 1), st.integers(1, 9), st.integers(1, 4))
def test_sources_get_their_share_evenly(rows, tau, batch_size, epochs):
    order = sampler(rows, batch_size, tau=tau)
    sizes = Counter(source for _, source in rows)
    total = sum(size**tau for size in sizes.values())
    seen = Counter()
    for epoch in range(epochs):
        order.set_epoch(epoch)
        drawn = list(order)
        assert len(drawn) == len(order) == len(rows)
        by_source = Counter(rows[index][1] for index in drawn)
        for source, size in sizes.items():
            assert abs(by_source[source] - len(rows) * size**tau / total) < 1
        seen.update(drawn)
        for counts in (Counter(drawn), seen):
            for source in sizes:
                of_source = [counts[index] for index, row in enumerate(rows) if row[1] == source]
                assert max(of_source) - min(of_source) <= 1


@given(rows, st.integers(0, 3), st.integers(0, 3))
def test_the_order_depends_on_seed_and_epoch_only(rows, seed, epoch):
    first, second = sampler(rows, seed=seed), sampler(rows, seed=seed)
    list(second)
    for order in (first, second):
        order.set_epoch(epoch)
    assert list(first) == list(second) == list(first)


def test_epochs_and_seeds_differ():
    rows = [(i % 7 + 1, "a") for i in range(100)]
    one, other = sampler(rows), sampler(rows, seed=1)
    first = list(one)
    assert first != list(other)
    one.set_epoch(1)
    assert first != list(one)


def test_batches_hold_similar_lengths_in_mixed_order():
    generator = np.random.default_rng(0)
    lengths = generator.integers(1, 100, 3203)
    order = list(MixedLengthSampler(lengths, ["a"] * 3203, 32))
    batches = [lengths[order[start : start + 32]] for start in range(0, 3203, 32)]
    assert [len(batch) for batch in batches] == [32] * 100 + [3]
    spread = np.mean([np.ptp(batch) for batch in batches[:-1]])
    assert spread < 4
    means = [batch.mean() for batch in batches[:-1]]
    assert abs(np.corrcoef(means, np.arange(100))[0, 1]) < 0.3


def test_small_sources_are_drawn_more_often():
    rows = [(1, "big")] * 900 + [(1, "small")] * 100
    drawn = Counter(rows[index][1] for index in sampler(rows, tau=0.5))
    assert drawn == {"big": 750, "small": 250}
    assert Counter(rows[index][1] for index in sampler(rows, tau=0.0)) == {"big": 500, "small": 500}


@pytest.mark.parametrize("epoch", [1, 2])
def test_accelerate_sets_the_epoch(epoch):
    rows = [(i % 7 + 1, "a") for i in range(30)]
    order = sampler(rows)
    loader = Accelerator(cpu=True).prepare(DataLoader(range(30), batch_size=4, sampler=order))
    loader.set_epoch(epoch)
    seen = [int(index) for batch in loader for index in batch]
    expected = sampler(rows)
    expected.set_epoch(epoch)
    assert seen == list(expected)
