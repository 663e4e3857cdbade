"""The benchmark of training throughput compares equal trainers, and counts what it says."""

import json
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
TEXTS = {
    "tweets": [f"a good day {'very ' * (number % 9)}" for number in range(300)],
    "reviews": ["the phone was slow and the battery bad " * (1 + number % 6) for number in range(300)],
}


@pytest.fixture
def throughput(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import train_throughput

    return train_throughput


def test_it_measures(throughput, tiny_model, monkeypatch, capfd):
    monkeypatch.setattr(throughput, "read_texts", lambda: TEXTS)
    throughput.main(["--model", str(tiny_model), "--turns", "6", "--steps", "2"])
    out, error = capfd.readouterr()
    rows = json.loads(out.splitlines()[-1])["results"]
    assert list(rows) == ["ours", "random", "grouped"]
    assert rows["random"]["low"] <= rows["random"]["ratio"] <= rows["random"]["high"]
    assert rows["random"]["padding"] > 0.3 > rows["ours"]["padding"]
    assert rows["random"]["padding"] > 0.3 > rows["grouped"]["padding"]
    assert "run score" not in error


def test_the_models_and_their_training_are_alike(throughput, tiny_model, monkeypatch):
    bench = throughput.Bench(str(tiny_model), TEXTS)
    ours, theirs = (
        sum(parameter.numel() for parameter in model.parameters()) for model in (bench.model, bench.classifier)
    )
    assert ours == theirs
    trainers = []
    monkeypatch.setattr(bench, "take", lambda trainer, turn, steps: trainers.append(trainer))
    bench.ours(0, 2)
    bench.plain("group_by_length", 0, 2)
    assert trainers[1].args.train_sampling_strategy == "group_by_length"
    for name in (
        "learning_rate",
        "weight_decay",
        "warmup_steps",
        "max_grad_norm",
        "optim",
        "lr_scheduler_type",
        "per_device_train_batch_size",
        "max_steps",
        "bf16",
        "fp16",
        "device",
        "dataloader_num_workers",
        "dataloader_pin_memory",
    ):
        assert getattr(trainers[0].args, name) == getattr(trainers[1].args, name), name
    assert {group["lr"] for group in trainers[0].create_optimizer().param_groups} == {throughput.RATE}


def test_tokens_are_those_of_the_drawn_batches_without_padding(throughput, tiny_model):
    bench = throughput.Bench(str(tiny_model), TEXTS)
    seen = []
    bench.classifier.register_forward_pre_hook(lambda _, args, inputs: seen.append(inputs), with_kwargs=True)
    taken = bench.plain("group_by_length", turn=1, steps=3)
    assert len(seen) == 4
    assert taken.tokens == sum(int(inputs["attention_mask"].sum()) for inputs in seen[1:])
    assert taken.computed == sum(inputs["attention_mask"].numel() for inputs in seen[1:])
    assert taken.seconds > 0


def test_the_ratio_is_of_all_turns_together(throughput):
    taken = {
        "ours": [throughput.Taken(100, 110, 1.0), throughput.Taken(300, 330, 1.0)],
        "random": [throughput.Taken(100, 200, 2.0), throughput.Taken(100, 200, 2.0)],
    }
    rows = throughput.summarise(taken)
    assert rows["random"]["ratio"] == pytest.approx(200 / 50)
    assert rows["random"]["padding"] == pytest.approx(0.5)
    assert rows["random"]["low"] is None
    low, high = throughput.interval(np.tile([100.0, 1.0, 100.0, 2.0], (6, 1)), throughput.ratio)
    assert (low, high) == (2, 2)


def test_a_goal_is_missed_beyond_the_noise(throughput):
    row = {"goal": 1.0, "ratio": 0.99, "low": 0.97, "high": 1.01}
    assert not throughput.is_missed(row)
    assert throughput.is_missed(row | {"high": 0.995})
    assert throughput.is_missed(row | {"high": None})
    assert not throughput.is_missed(row | {"goal": None, "high": 0.995})


def test_texts_come_from_the_data_folder(throughput, tmp_path, monkeypatch):
    for name in throughput.SOURCES:
        (tmp_path / name).mkdir()
        (tmp_path / name / "train.jsonl").write_text(json.dumps({"text": f"of {name}"}) + "\n", encoding="utf-8")
    monkeypatch.setenv("EQUIPOISE_DATA", str(tmp_path))
    assert throughput.read_texts() == {name: [f"of {name}"] for name in throughput.SOURCES}


@pytest.mark.starter
def test_the_starter_corpus_stands_in(throughput, vader_corpus, monkeypatch):
    monkeypatch.delenv("EQUIPOISE_DATA", raising=False)
    texts = throughput.read_texts()
    words = {name: np.mean([len(text.split()) for text in found]) for name, found in texts.items()}
    assert words["tweets"] < 20 < 50 < min(words["products"], words["editorials"])
    # From this many on, the grouped order of transformers sorts as many rows at once as ours.
    assert sum(map(len, texts.values())) >= 4 * 50 * throughput.BATCH
