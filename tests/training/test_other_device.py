"""Whole runs on another device than the CPU: its stand-in, or a GPU."""

import json
import signal

import pytest

import equipoise
from aspects_data import make_row, write_run
from corpus import run_data, write_data
from corpus import write_run as write_scores_run
from other_device import gpu
from processes import train_without_dropout
from strike import strike

TEXTS = [make_row(number)["text"] for number in range(3)]


def read_log(folder):
    """The lines of a run's log, which are strict JSON."""

    def refuse(constant):
        pytest.fail(f"found {constant}")

    lines = (folder / "log.jsonl").read_text().splitlines()
    return [json.loads(line, parse_constant=refuse) for line in lines]


def losses_of(folder):
    return [line["losses"] for line in read_log(folder) if "losses" in line]


@pytest.fixture(scope="module")
def on_cpu(tmp_path_factory, steady_model):
    """The losses of a short training of token heads and a class on the CPU."""
    folder = tmp_path_factory.mktemp("cpu")
    train_without_dropout(write_run(folder, steady_model, max_steps=2, evaluations=1))
    return losses_of(folder / "run")


def numbers(answers):
    """The probabilities of answers."""
    return [answer["tone"]["probabilities"] for answer in answers]


def check_run(run_file, expected, elsewhere, error):
    """Train elsewhere; losses and answers are those of the CPU."""
    with elsewhere() as device:
        train_without_dropout(run_file)
        model = equipoise.load(run_file.parent / "run")
        assert model.model.device == device
        there = numbers(model.predict(TEXTS))
    folder = run_file.parent / "run"
    first, last = losses_of(folder)
    assert first == pytest.approx(expected[0], rel=error)
    # A step that the scaler of fp16 skips changes nothing.
    assert last == pytest.approx(expected[1] if last != first else expected[0], rel=2 * error)
    here = numbers(equipoise.load(folder, device="cpu").predict(TEXTS))
    for one, other in zip(here, there, strict=True):
        assert other == pytest.approx(one, abs=1e-4)


@pytest.mark.filterwarnings("ignore:.*copying from a non-meta parameter")  # on the stand-in values are copied
def test_a_run_is_that_of_the_cpu(tmp_path, steady_model, on_cpu, elsewhere):
    check_run(write_run(tmp_path, steady_model, max_steps=2, evaluations=1), on_cpu, elsewhere, 1e-3)


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["bf16", "fp16", "pure_bf16"])
def test_precisions_on_a_gpu(tmp_path, steady_model, on_cpu, precision):
    run_file = write_run(tmp_path, steady_model, max_steps=2, evaluations=1, precision=precision)
    check_run(run_file, on_cpu, gpu, 0.1)


@pytest.mark.gpu
def test_a_bilstm_answers_as_on_the_cpu(tmp_path):
    """The stand-in has no packed sequences."""
    data = run_data(tmp_path, "bilstm", max_steps=4, evaluations=1)
    del data["tasks"]["towards"]
    run_file = write_data(tmp_path, data)
    with gpu():
        folder = equipoise.train(run_file).folder
        there = equipoise.load(folder).predict(TEXTS)
    here = equipoise.load(folder, device="cpu").predict(TEXTS)
    for one, other in zip(here, there, strict=True):
        assert other["polarity"]["probabilities"] == pytest.approx(one["polarity"]["probabilities"], abs=1e-4)
        assert other["intensity"]["score"] == pytest.approx(one["intensity"]["score"], abs=1e-4)


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_killed_and_resumed_on_a_gpu(tmp_path, tiny_model, precision):
    """Dropout comes from the GPU's random state, which the checkpoint holds; sums may differ in the last bit."""
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    options = {"max_steps": 12, "evaluations": 3, "precision": precision}
    with gpu():
        equipoise.train(write_scores_run(tmp_path / "whole", tiny_model, **options))
        run_file = write_scores_run(tmp_path / "killed", tiny_model, **options)
        assert strike(run_file, 6, signal.SIGKILL).exit_code == -signal.SIGKILL
        assert (tmp_path / "killed" / "run" / "checkpoints" / "checkpoint-4" / "complete").exists()
        equipoise.train(run_file, resume=True)
    whole, resumed = losses_of(tmp_path / "whole" / "run"), losses_of(tmp_path / "killed" / "run")
    assert len(resumed) == len(whole) == 12
    for one, other in zip(whole, resumed, strict=True):
        assert other == pytest.approx(one, rel=1e-3)
