"""Answers of a model that computes in less than float32."""

import json
import sys

import numpy as np
import pytest
import torch

import equipoise
from equipoise import precision
from equipoise.cli import main
from equipoise.errors import UsageError
from equipoise.kinds import Classification, Regression
from equipoise.modeling import MultiTaskModel, load, load_backbone
from prompted import make_tasks

TASKS = {
    "score": Regression("score", "s", "text", None, "score", "pearson"),
    "polarity": Classification("polarity", "s", "text", None, "label", "macro_f1", ("bad", "good")),
}
TEXTS = [f"a {word} phone and a {word} film" for word in ("good", "bad", "sad", "slow", "nice")]


HAS_FAST = precision._has_fast_bfloat16()


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    """Every processor has bfloat16, be it emulated."""
    monkeypatch.setattr(precision, "_has_fast_bfloat16", lambda: True)


@pytest.fixture(scope="module")
def folder(tiny_model, tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("model") / "model"
    MultiTaskModel(*load_backbone(str(tiny_model)), TASKS, max_length=32).save_pretrained(path)
    return path


def numbers(answers):
    return np.array([[answer["score"]["score"], *answer["polarity"]["probabilities"].values()] for answer in answers])


def test_the_backbone_computes_in_it_and_heads_do_not(folder, monkeypatch):
    predictor = load(folder, precision="bf16")
    seen = {"backbone": set(), "heads": set()}
    for part, modules in {
        "backbone": predictor.model.backbone.modules(),
        "heads": [module for task in TASKS for module in predictor.model.head(task).modules()],
    }.items():
        for module in modules:
            if isinstance(module, torch.nn.Linear):
                module.register_forward_hook(lambda _, given, output, part=part: seen[part].add(output.dtype))
    answers = numbers(predictor.predict(TEXTS))
    # The last pass is the one that is compared with.
    assert seen == {"backbone": {torch.bfloat16, torch.float32}, "heads": {torch.float32}}
    exact = numbers(load(folder).predict(TEXTS))
    assert not np.array_equal(answers, exact)
    np.testing.assert_allclose(answers, exact, atol=0.05)
    assert {parameter.dtype for parameter in predictor.model.parameters()} == {torch.float32}


def test_the_difference_is_that_of_the_answers_and_of_the_largest_call(folder):
    predictor, exact = load(folder, precision="bf16"), load(folder)
    predictor.predict(TEXTS[:1])
    predictor.predict(TEXTS)
    found = np.abs(numbers(predictor.predict(TEXTS[:2])) - numbers(exact.predict(TEXTS[:2]))).max(0)
    whole = np.abs(numbers(predictor.predict(TEXTS)) - numbers(exact.predict(TEXTS))).max(0)
    assert (found <= whole + 1e-9).all()
    assert predictor.rounding == {
        "score": pytest.approx(whole[0], abs=1e-6),
        "polarity": pytest.approx(whole[1:].max(), abs=1e-6),
    }
    assert exact.rounding is None
    assert (predictor.precision, exact.precision) == ("bf16", "fp32")


def test_prompted_answers_are_near(tiny_llm):
    torch.manual_seed(0)
    model = MultiTaskModel(
        *load_backbone(str(tiny_llm), language_model=True), make_tasks(polarity="prompt", intensity="head"), 96
    ).eval()
    rounded = equipoise.modeling.Predictor(model.with_precision(torch.bfloat16))
    exact = equipoise.modeling.Predictor(model)
    one, other = (predictor.predict(TEXTS)[0]["polarity"]["probabilities"] for predictor in (rounded, exact))
    assert one == pytest.approx(other, abs=0.05)
    assert 0 < rounded.rounding["polarity"] < 0.05


@pytest.mark.parametrize(
    ("asked", "has", "message"),
    [
        ("int4", True, "expected one of fp32, bf16, fp16"),
        ("fp16", True, "needs a GPU"),
        ("bf16", False, "emulated on this processor"),
    ],
)
def test_what_a_device_does_not_compute_in_is_refused(folder, monkeypatch, asked, has, message):
    monkeypatch.setattr(precision, "_has_fast_bfloat16", lambda: has)
    with pytest.raises(UsageError, match=message):
        load(folder, device="cpu", precision=asked)


def run(monkeypatch, *arguments):
    """Run the command in this process, and return its exit code."""
    monkeypatch.setattr(sys, "argv", ["equipoise", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code or 0


def test_predict_says_what_it_changes(folder, tmp_path, capsys, monkeypatch):
    output = tmp_path / "answers.jsonl"
    command = ("predict", folder, *TEXTS, "-o", output)
    assert run(monkeypatch, *command, "--precision", "bf16") == 0
    said = capsys.readouterr().err
    assert "largest difference of a probability or score from float32 on the first texts, by task: score " in said
    assert len([json.loads(line) for line in output.read_text().splitlines()]) == len(TEXTS)
    assert run(monkeypatch, *command, "--precision", "fp8") == 2
    assert "found 'fp8', expected one of fp32, bf16, fp16" in capsys.readouterr().err
    assert run(monkeypatch, *command) == 0
    assert "largest difference" not in capsys.readouterr().err


@pytest.mark.skipif(not HAS_FAST, reason="the worker's processor has none")
def test_predict_in_workers_says_what_it_changes(folder, tmp_path, capfd, monkeypatch):
    assert run(monkeypatch, "predict", folder, *TEXTS, "--workers", "1", "--precision", "bf16") == 0
    assert "float32 on the first texts, by task: score " in capfd.readouterr().err


def test_an_exported_model_computes_as_it_was_exported(tmp_path):
    (tmp_path / "onnx.json").write_text("{}")
    with pytest.raises(UsageError, match="computes as it was exported"):
        equipoise.load(tmp_path, precision="bf16")
