"""An exported model answers as the model does."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch

import equipoise
from adapters import save_model
from architectures import save_architecture
from equipoise.errors import DataError, UsageError
from equipoise.exporting import export_onnx
from equipoise.modeling import load
from equipoise.onnx import OnnxPredictor, load_onnx
from exported import LONG, TASKS, TEXTS, WITHOUT_TORCH, assert_alike, make_model, spread

HEADS = {name: task for name, task in TASKS.items() if name in ("stars", "polarity")}


@pytest.fixture(scope="module")
def predictors(model_to_export, exported_model):
    return load(model_to_export, "cpu"), load_onnx(exported_model)


def test_all_kinds_are_answered_as_by_torch(predictors):
    trained, exported = predictors
    expected = trained.predict(TEXTS, "film")
    assert_alike(exported.predict(TEXTS, "film"), expected)
    assert spread(expected) > 0.01
    assert any(answer["terms"] for answer in expected)


def test_the_batch_size_changes_nothing(predictors):
    _, exported = predictors
    texts = [f"{TEXTS[number % 5]} {number}" for number in range(20)]
    assert_alike(exported.predict(texts, "film", batch_size=1), exported.predict(texts, "film"), 1e-5)


def test_tasks_are_chosen_and_rows_keep_their_columns(predictors):
    trained, exported = predictors
    rows = [{"id": 7, "text": "good film", "aspect": "film", "stars": 3}, {"id": 8, "text": "bad", "aspect": "phone"}]
    for tasks in (None, ["polarity"], ["terms", "stars"]):
        assert_alike(exported.predict(rows, tasks=tasks), trained.predict(rows, tasks=tasks))
    assert exported.tasks == trained.tasks


def test_mistakes_are_told_in_the_same_words(predictors):
    for predictor in predictors:
        with pytest.raises(DataError, match="row 2: found an empty text"):
            predictor.predict(["fine", " "], "film")
        with pytest.raises(UsageError, match="Did you mean 'polarity'"):
            predictor.predict("fine", tasks="polarty")
        with pytest.raises(UsageError, match="prompts: found 2, expected 1"):
            predictor.predict("fine", "film", prompts=2)


def test_long_texts_are_read_in_windows(tmp_path, tiny_model):
    model = make_model(tiny_model, max_length=16, long_texts="windows")
    model.save_pretrained(tmp_path / "model")
    exported = equipoise.export_onnx(tmp_path / "model", tmp_path / "onnx")
    assert max(exported.differences.values()) < 1e-4
    trained, found = load(tmp_path / "model", "cpu"), equipoise.load(tmp_path / "onnx" / "model.onnx")
    assert isinstance(found, OnnxPredictor)
    texts = [*TEXTS, LONG, LONG * 5, "good " + LONG * 2]
    for size in (1, 3, 64):
        assert_alike(found.predict(texts, "film", batch_size=size), trained.predict(texts, "film"))
    make_model(tiny_model, max_length=16).save_pretrained(tmp_path / "cut")
    with pytest.raises(AssertionError):  # the windows count
        assert_alike(found.predict(texts, "film"), load(tmp_path / "cut", "cpu").predict(texts, "film"))


@pytest.mark.parametrize("name", ["mpnet", "xlnet", "llama"])
def test_architectures(tmp_path, tiny_model, tiny_llm, name):
    words = tiny_llm if name == "llama" else tiny_model
    folder = save_architecture(name, words, tmp_path / "base")
    make_model(folder, HEADS).save_pretrained(tmp_path / "model")
    export_onnx(tmp_path / "model", tmp_path / "onnx")
    expected = load(tmp_path / "model", "cpu").predict(TEXTS, "film")
    assert_alike(load_onnx(tmp_path / "onnx").predict(TEXTS, "film"), expected)
    assert spread(expected) > 5e-4


def test_a_bilstm(tmp_path):
    from equipoise.modeling import MultiTaskModel, load_backbone

    torch.manual_seed(0)
    MultiTaskModel(*load_backbone("bilstm", TEXTS * 3), HEADS, 32).eval().save_pretrained(tmp_path / "model")
    export_onnx(tmp_path / "model", tmp_path / "onnx")
    expected = load(tmp_path / "model", "cpu").predict(TEXTS, "film")
    assert_alike(load_onnx(tmp_path / "onnx").predict(TEXTS, "film"), expected)


def test_an_adapter_is_folded_in(tmp_path, tiny_llm):
    model = save_model(tmp_path / "model", tiny_llm, HEADS, 0)
    expected = equipoise.Predictor(model).predict(TEXTS, "film")
    export_onnx(tmp_path / "model", tmp_path / "onnx")
    assert_alike(load_onnx(tmp_path / "onnx").predict(TEXTS, "film"), expected)
    graph = (tmp_path / "onnx" / "model.onnx").read_bytes()
    assert b"q_proj" in graph
    assert b"lora_A" not in graph


def test_without_torch(tmp_path, model_to_export, exported_model):
    code = WITHOUT_TORCH + (
        "import sys\nsys.argv = ['equipoise', 'predict', *sys.argv[1:]]\nfrom equipoise.cli import main\nmain()"
    )

    def run(*arguments):
        return subprocess.run([sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True)

    (tmp_path / "texts.txt").write_text("\n".join(TEXTS[:3]) + "\n", encoding="utf-8")
    done = run(exported_model, tmp_path / "texts.txt", "--pair", "film", "--device", "cpu")
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert_alike(answers, json.loads(json.dumps(load(model_to_export, "cpu").predict(TEXTS[:3], "film"))))
    refused = run(model_to_export, "fine")
    assert refused.returncode == 2
    assert "needs the package torch, which is missing" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_numbers_of_int8_are_near(tmp_path, model_to_export, predictors):
    export = export_onnx(model_to_export, tmp_path / "int8", int8=True)
    assert export.precision == "int8"
    assert export.losses == ()
    assert "there is no run file" in export.notes[0]
    assert all(1e-6 < export.int8_differences[name] < 0.5 for name in ("stars", "polarity"))
    trained, _ = predictors
    found = load_onnx(tmp_path / "int8").predict(TEXTS, "film")
    expected = [answer["stars"]["score"] for answer in trained.predict(TEXTS, "film")]
    np.testing.assert_allclose([answer["stars"]["score"] for answer in found], expected, atol=0.5)
    assert export.bytes == (tmp_path / "int8" / "model.onnx").stat().st_size
