"""The benchmarks of training steps: equal work in every way, and what a step asks of a GPU."""

import json
from functools import partial
from pathlib import Path

import pytest
import torch

GPU = Path(__file__).parents[2] / "benchmarks" / "gpu"


@pytest.fixture
def steps(monkeypatch):
    monkeypatch.syspath_prepend(GPU.parent)
    monkeypatch.syspath_prepend(GPU)
    import training_step

    return training_step


@pytest.fixture
def counts(steps):
    import step_counts

    return step_counts


def test_it_measures(steps, capsys):
    steps.main(["--model", "tiny", "--batch", "4", "--steps", "2", "--turns", "2", "--peak", "1"])
    out = capsys.readouterr().out
    assert "tiny (all of it), 4 × 128 tokens, 2 tasks, fp32; 2 turns of 2 steps" in out
    result = json.loads(out.splitlines()[-1])
    rows = result["results"]["4"]
    assert list(rows) == ["bare", "plain", "equal", "dao", "data", "dao by equal"]
    assert rows["plain"]["ratio"] == 1
    assert 0 < rows["data"]["ratio"] < 1
    assert rows["bare"]["of_peak"] > 0
    assert result["tasks"] == 2


def test_all_ways_do_the_same(steps, monkeypatch):
    """The heads' answers are equal: of both trainers in the second step also, of the bare loop before rates differ."""
    bare, plain, ours = (heads_of_two_steps(steps, way, monkeypatch) for way in ("bare", "plain", "equal"))
    assert len(bare) == len(plain) == len(ours) == 4
    for one, other in [*zip(bare[:2], plain, strict=False), *zip(plain, ours, strict=True)]:
        torch.testing.assert_close(other, one, atol=1e-6, rtol=1e-5)
    assert not torch.equal(plain[0], plain[2])


def heads_of_two_steps(steps, way, monkeypatch):
    """Train two steps on rows in their order without dropout; return what the heads of both tasks answer."""
    bench = steps.Bench("tiny", 4, 2, 1, lora=False, precision="fp32")
    in_order, seen = InOrder(range(len(bench.rows))), []
    monkeypatch.setattr(bench, "order", lambda turn: in_order)
    monkeypatch.setattr(steps.Trainer, "_get_train_sampler", lambda *_: in_order)
    for module in bench.model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    for task in bench.tasks:
        bench.model.head(task).register_forward_hook(lambda *given: seen.append(given[-1].detach()))
    (bench.bare if way == "bare" else bench.plain)(0) if way != "equal" else bench.ours(way, 0)
    return seen


class InOrder(torch.utils.data.SequentialSampler):
    """Rows as they stand."""

    def set_epoch(self, epoch):
        """Every epoch is the same."""


def test_a_goal_is_missed_beyond_the_noise(steps):
    fine = {"ratio": 1.2, "low": 0.9}
    rows = {"equal": fine, "data": {"ratio": 0.01, "low": None}, "dao by equal": {"ratio": 1.08, "low": 1.06}}
    assert steps.find_missed(rows, tasks=2) == ["dao by equal"]
    assert steps.find_missed(rows, tasks=8) == []
    assert steps.find_missed(rows | {"equal": {"ratio": 1.2, "low": 1.1}}, tasks=8) == ["equal"]


def test_a_step_waits_as_often_for_one_task_as_for_many(counts):
    with counts._device():
        one, many = (counts.count_step(tasks, "dao") for tasks in (1, 4))
        equal = counts.count_step(4, "equal")
    assert one["passes"] == many["passes"] == 1
    assert equal["passes"] == 0
    # The rule's numbers, the Trainer's loss and gradient norm, and a look of transformers at the mask.
    assert one["waits"] == many["waits"] == equal["waits"] <= 4
    assert one["operations"] < many["operations"]


def test_a_log_of_fewer_steps_waits_less_often(steps, counts, monkeypatch):
    with counts._device():
        each = counts.count_step(2, "dao")
        monkeypatch.setattr(steps, "TrainConfig", partial(steps.TrainConfig, log_every=100))
        few = counts.count_step(2, "dao")
    assert few["waits"] == each["waits"] - 2
