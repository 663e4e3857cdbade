"""Batches that are read side by side: the same answers, in order, and the process as it was."""

import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import numpy as np
import pytest
import torch

from equipoise.kinds import Classification, Regression
from equipoise.modeling import MultiTaskModel, Predictor, load_backbone
from equipoise.modeling.concurrent import count_concurrent, map_batches

TASKS = {
    "score": Regression("score", "s", "text", None, "score", "pearson", (-1.0, 1.0), mean=0.5, std=2.0),
    "type": Classification("type", "s", "text", None, "label", "macro_f1", ("a", "b", "c")),
}


@pytest.fixture
def model(tiny_model):
    torch.manual_seed(0)
    return MultiTaskModel(*load_backbone(str(tiny_model)), TASKS, max_length=16).eval()


@pytest.fixture
def two_cores():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_answers_come_in_order_from_several_threads(two_cores):
    both = threading.Barrier(2, timeout=60)
    seen = []

    def answer(batch):
        if batch < 2:
            both.wait()  # passes only if another thread is in it, too
        seen.append((threading.current_thread().name, torch.get_num_threads()))
        return batch * batch

    assert list(map_batches(answer, iter(range(9)), 2)) == [(n, n * n) for n in range(9)]
    assert len({name for name, _ in seen}) == 2
    assert {threads for _, threads in seen} == {1}
    assert torch.get_num_threads() == 2


def test_a_batch_alone_has_all_cores(two_cores):
    def answer(batch):
        return threading.current_thread(), torch.get_num_threads()

    assert list(map_batches(answer, iter([5]), 2)) == [(5, (threading.current_thread(), 2))]
    assert list(map_batches(answer, iter([]), 2)) == []


def test_batches_are_taken_as_there_is_room(two_cores):
    taken = []

    def batches():
        for number in range(20):
            taken.append(number)
            yield number

    found = map_batches(lambda batch: batch, batches(), 2)
    next(found)
    assert len(taken) <= 4
    found.close()


def test_an_error_ends_it_and_the_cores_are_given_back(two_cores):
    def answer(batch):
        if batch == 3:
            raise ValueError("batch 3")
        return batch

    with pytest.raises(ValueError, match="batch 3"):
        list(map_batches(answer, iter(range(9)), 2))
    assert torch.get_num_threads() == 2


def test_models_that_keep_a_state_are_read_one_batch_after_the_other(two_cores, model):
    assert count_concurrent(model) == 2
    model.backbone.config.model_type = "big_bird"  # it leaves its sparse attention for good at the first short text
    assert count_concurrent(model) == 1


@pytest.mark.parametrize("long_texts", ["cut", "windows"])
def test_answers_are_those_of_one_batch_after_the_other(two_cores, model, long_texts, monkeypatch):
    predictor = Predictor(model.with_long_texts(long_texts))
    texts = [" ".join(["good", "bad", "so"][: 1 + n % 3] * (1 + n % 40)) for n in range(60)]
    tasks = list(predictor.tasks)
    found = predictor.infer(texts, [None] * 60, tasks, 4)
    monkeypatch.setattr("equipoise.modeling.ensembling.count_concurrent", lambda model: 1)
    torch.set_num_threads(1)
    expected = predictor.infer(texts, [None] * 60, tasks, 4)
    for task in tasks:
        np.testing.assert_array_equal(found[task], expected[task])


def test_threads_that_share_the_cores_get_the_same_answers(two_cores, model):
    predictor = Predictor(model)
    assert (predictor.concurrent, predictor.cores) == (2, 2)
    texts = [[" ".join(["good", "bad", "so"][: 1 + n % 3] * (1 + n % 40)) for n in range(m, m + 9)] for m in range(30)]
    expected = [predictor.predict(some, batch_size=4) for some in texts]

    def answer(some):
        predictor.use_cores(1)
        assert predictor.cores == 1
        return predictor.predict(some, batch_size=4)

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(answer, texts))
    assert predictor.cores == 2
    for one, other in zip(chain(*found), chain(*expected), strict=True):
        assert one["type"]["label"] == other["type"]["label"]
        np.testing.assert_allclose(one["score"]["score"], other["score"]["score"], rtol=1e-5, atol=1e-6)


def test_a_model_in_training_mode_answers_one_thread_at_a_time(two_cores, model):
    assert Predictor(model.train()).concurrent == 1
    assert Predictor(model.eval()).concurrent == 2
