"""Answers for texts that are too long, from all of their windows."""

import json

import numpy as np
import pytest
import torch
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.kinds import Classification, Extraction, Regression
from equipoise.merging import HeadPolicy, combine_models
from equipoise.modeling import MultiTaskModel, Predictor, encode_texts, infer, load, load_backbone
from equipoise.modeling.inference import make_batch
from prompted import make_model, make_tasks

TASKS = {
    "score": Regression("score", "s", "text", None, "score", "pearson", (-1.0, 1.0), mean=0.0, std=0.5),
    "type": Classification("type", "s", "text", None, "label", "macro_f1", ("a", "b", "c")),
}
SENTENCES = ("a good film ", "the phone and the battery were broken and i was very angry ", "so so ")
LONG = "a good film but the very sad plot was too long for my day and the price of the food is not fine "


@pytest.fixture(scope="module")
def model(tiny_model):
    torch.manual_seed(0)
    model = MultiTaskModel(*load_backbone(str(tiny_model)), TASKS, max_length=16).eval().with_long_texts("windows")
    with torch.no_grad():  # as it is drawn, all texts are much the same to it
        model.head("type").layers[-1].weight.mul_(100)
    return model


def table(texts):
    return Dataset.from_dict({"text": texts, "pair": [None] * len(texts)})


def answer(model, texts, batch_size=4, tasks=tuple(TASKS)):
    every = {task: np.arange(len(texts)) for task in tasks}
    rows, _ = model.encode_rows(table(texts), every)
    return infer(model, rows, every, batch_size)


@given(
    texts=st.lists(st.tuples(st.sampled_from(SENTENCES), st.integers(1, 4)), min_size=1, max_size=5),
    length=st.integers(5, 60),
)
@settings(max_examples=20)
def test_texts_that_fit_are_answered_as_without_windows(tiny_model, texts, length):
    torch.manual_seed(0)
    model = MultiTaskModel(*load_backbone(str(tiny_model)), TASKS, max_length=length).eval()
    texts = [sentence * times for sentence, times in texts]
    _, too_long = model.encode_rows(table(texts), {})
    expected, found = answer(model, texts), answer(model.with_long_texts("windows"), texts)
    fit = [len(model.tokenizer(text)["input_ids"]) <= length for text in texts]
    assert fit.count(False) == too_long
    for task in TASKS:
        np.testing.assert_allclose(found[task][fit], expected[task][fit], atol=1e-6)


@pytest.mark.parametrize("batch_size", [1, 3, 50])
def test_the_outputs_for_windows_are_averaged_before_they_become_answers(model, batch_size):
    texts = ["a good film", LONG * 3, "bad", LONG]
    rows, too_long = model.encode_rows(table(texts), {})
    assert too_long == 2
    found = answer(model, texts, batch_size)
    for number in range(len(texts)):
        own = [row for row in rows.to_list() if row["index"] == number]
        inputs = {name: torch.tensor([row[name] for row in own]) for name in ("input_ids", "token_type_ids")}
        with torch.no_grad():
            outputs = model({**inputs, "attention_mask": torch.ones_like(inputs["input_ids"])})
            for task in TASKS:
                expected = model.head(task).predict(outputs[task].mean(dim=0, keepdim=True)).numpy()[0]
                np.testing.assert_allclose(found[task][number], expected, atol=1e-5)
    # It is not what the first window alone says.
    cut = answer(model.with_long_texts("cut"), texts)
    assert abs(found["type"][1] - cut["type"][1]).max() > 1e-3


@pytest.mark.parametrize("side", ["right", "left"])
def test_a_task_that_reads_tokens_gets_all_windows_in_order(tiny_model, side, monkeypatch):
    torch.manual_seed(0)
    task = Extraction("terms", "s", "text", None, "terms", "extraction_f1", classes=("good", "bad"))
    backbone, tokenizer = load_backbone(str(tiny_model))
    tokenizer.truncation_side = side
    model = MultiTaskModel(backbone, tokenizer, {"terms": task, **TASKS}, max_length=16).eval()
    model = model.with_long_texts("windows")
    texts = ["a good film", LONG * 3, "", LONG]
    rows, _ = model.encode_rows(table(texts), {})
    seen = {}
    read_cells = Extraction.read_cells

    def watched(self, text, windows):
        seen[text] = windows
        return read_cells(self, text, windows)

    monkeypatch.setattr(Extraction, "read_cells", watched)
    every = {name: np.arange(len(texts)) for name in model.tasks}
    found = infer(model, rows, every, 3)["terms"]
    assert found[2] == "[]"
    for number, text in enumerate(texts):
        own = sorted((row for row in rows.to_list() if row["index"] == number), key=lambda row: row["offsets"][:1])
        assert [window.offsets.ravel().tolist() for window in seen[text]] == [row["offsets"] for row in own]
        for row, window in zip(own, seen[text], strict=True):
            arguments = make_batch(model, [row], {"terms": np.arange(1)})
            with torch.no_grad():
                cells = model.head("terms").predict(model(*arguments)["terms"]).numpy()
            np.testing.assert_allclose(window.cells, cells, atol=1e-5)
        assert found[number] == read_cells(task, text, seen[text])
    some = infer(model, rows, {"terms": np.array([3, 1])}, 4)["terms"]
    assert [len(task.answer(one)) for one in some] == [len(task.answer(found[number])) for number in (3, 1)]


def test_some_rows_are_answered_alone(model):
    texts = ["a good film", LONG * 3, "bad", LONG]
    whole = answer(model, texts)
    rows, _ = model.encode_rows(table(texts), {})
    some = {
        "score": np.array([3, 0]),
        "type": np.array([1]),
    }
    found = infer(model, rows, some, 2)
    for task, indices in some.items():
        np.testing.assert_allclose(found[task], whole[task][indices], atol=1e-6)
    assert infer(model, rows, {"score": np.arange(0), "type": np.array([1])}, 2)["score"].shape == (0,)
    assert infer(model, rows, {}, 2) == {}


def test_a_text_of_20_000_words_is_read_in_batches_of_windows(model, monkeypatch):
    sizes = []
    forward = MultiTaskModel.forward

    def watched(self, inputs, *rest):
        sizes.append(tuple(inputs["input_ids"].shape))
        return forward(self, inputs, *rest)

    monkeypatch.setattr(MultiTaskModel, "forward", watched)
    words = len(LONG.split())
    text = (LONG * (20_000 // words + 1)).rsplit(maxsplit=words * (20_000 // words + 1) - 20_000)[0]
    assert len(text.split()) == 20_000
    tokens = len(model.tokenizer(text, add_special_tokens=False)["input_ids"])
    found = Predictor(model).predict([text], batch_size=64)
    assert set(found[0]) == {"text", "score", "type"}
    # 14 tokens a window, 3 of which are those of its neighbor.
    assert sum(rows for rows, _ in sizes) == -(-(tokens - 14) // 11) + 1
    assert all(rows <= 64 and width == 16 for rows, width in sizes)


def test_features_are_those_of_the_first_window(model):
    texts = [LONG * 2, "good"]
    cut = encode_texts(model.with_long_texts("cut"), table(texts), 2)
    np.testing.assert_array_equal(encode_texts(model, table(texts), 2), cut)


@pytest.mark.parametrize("how", ["cut", "windows"])
def test_a_saved_model_reads_long_texts_as_before(model, tmp_path, how):
    model = model.with_long_texts(how)
    model.save_pretrained(tmp_path / "model")
    said = json.loads((tmp_path / "model" / "equipoise.json").read_text())
    assert said.get("long_texts") == ("windows" if how == "windows" else None)
    loaded = load(tmp_path / "model").model
    assert loaded.long_texts == how
    for task, values in answer(loaded, [LONG * 2]).items():
        np.testing.assert_allclose(values, answer(model, [LONG * 2])[task], atol=1e-6)


def test_a_model_is_asked_about_cut_texts(tiny_llm):
    model = make_model(tiny_llm, make_tasks(polarity="head")).with_long_texts("windows")
    assert not model.reads_windows
    rows, too_long = model.encode_rows(table([LONG * 20, "good"]), {"polarity": np.arange(2)})
    assert (len(rows), too_long) == (2, 1)


@pytest.mark.parametrize(("ways", "expected"), [(("cut", "cut"), "cut"), (("cut", "windows"), "windows")])
def test_a_merged_model_reads_windows_if_an_expert_does(model, ways, expected):
    experts = {}
    for (name, task), how in zip(TASKS.items(), ways, strict=True):
        alone = MultiTaskModel(model.backbone, model.tokenizer, {name: task}, max_length=16)
        experts[name] = alone.with_long_texts(how)
    assert combine_models(experts, HeadPolicy.ERROR).long_texts == expected
