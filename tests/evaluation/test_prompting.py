"""The base language model as a baseline: zero-shot and few-shot."""

import json

import numpy as np
import pytest
import torch

import equipoise
from corpus import words_data
from equipoise.config import make_config
from equipoise.curriculum import score_examples
from equipoise.data import demonstrate, load_table
from equipoise.errors import UsageError
from equipoise.evaluation import prompting, score_prompted
from equipoise.modeling import MultiTaskModel, infer, load_backbone
from equipoise.training import train
from equipoise.training.building import build_model
from pages import Page


def prompted_data(folder, model, **train):
    """Every kind, one task in each format, one that cannot be prompted for, and both prompted baselines."""
    data = words_data(folder, model, max_steps=2, evaluations=1, **train)
    reviews = {"source": "reviews"}
    data["tasks"] |= {
        "polarity": {**reviews, "kind": "classification", "label": "label", "format": "prompt"},
        "towards": {**reviews, "kind": "classification", "pair": "aspect", "label": "label"},
        "open": {**reviews, "kind": "regression", "label": "score"},
        "title": {**reviews, "kind": "generation", "label": "title", "max_new_tokens": 4},
    }
    limits = {"train": 40, "dev": 6, "test": 8}
    data["sources"]["reviews"]["limit"] = limits
    data["max_length"] = 128
    data["evaluation"] = {"bootstrap": 100, "baselines": ["majority", "zero_shot", "few_shot"], "shots": 2}
    return data


@pytest.fixture(scope="module")
def finished(tmp_path_factory, tiny_llm):
    data = prompted_data(tmp_path_factory.mktemp("prompted"), tiny_llm)
    return train(make_config({**data, "lora": {"rank": 2, "targets": ["q_proj"]}}))


def values(records, model):
    return {
        (record["split"], record["task"], record["metric"]): record["value"]
        for record in records
        if record["model"] == model
    }


def test_the_baselines_have_rows_of_every_task_that_can_be_prompted_for(finished):
    for baseline in ("zero_shot", "few_shot"):
        scored = {(split, task) for split, task, _ in values(finished.records, baseline)}
        tasks = ["words", "intensity", "polarity", "towards", "title"]
        assert scored == {(split, task) for split in ("dev", "test") for task in tasks}
    page = Page((finished.folder / "report.html").read_text(encoding="utf-8"))
    assert page.tables[0][0] == ["task", "metric", "this run", "majority", "zero-shot", "few-shot", "rows"]
    notes = json.loads((finished.folder / "data.json").read_text())["notes"]
    assert "Task 'open' has no row of the base language model: it has no range to write scores on." in notes


def test_zero_shot_is_the_model_before_training(finished, tiny_llm):
    config = equipoise.training.train_run.load_config(finished.folder / "config.yaml")
    table = load_table(config)
    task = table.tasks["towards"].replace(format="prompt")
    base = MultiTaskModel(*load_backbone(str(tiny_llm), language_model=True), {"towards": task}, 128).eval()
    wanted = {"towards": table.rows("towards", "test")}
    rows, _ = base.encode_rows(table.splits["test"], wanted)
    predictions = infer(base, rows, wanted, 4)["towards"]
    accuracy = (predictions.argmax(axis=1) == table.labels("towards", "test")).mean()
    assert values(finished.records, "zero_shot")["test", "towards", "accuracy"] == pytest.approx(accuracy)


def test_the_base_is_the_same_without_its_adapter_and_loaded_again(finished, tmp_path, tiny_llm):
    config = equipoise.training.train_run.load_config(finished.folder / "config.yaml")
    table = load_table(config)
    torch.manual_seed(1)
    whole = build_model(config.model_copy(update={"lora": None}), table)
    with torch.no_grad():
        for parameter in whole.backbone.parameters():
            parameter.add_(0.1)
    records, _ = score_prompted(whole, table, config, ["test"])
    for baseline in ("zero_shot", "few_shot"):
        then = {key: value for key, value in values(finished.records, baseline).items() if key[0] == "test"}
        assert values(records, baseline) == pytest.approx(then, abs=1e-6)


def test_evaluate_scores_them_too_and_leaves_the_adapter_in_place(finished):
    predictor = equipoise.load(finished.folder)
    before = predictor.predict("good film", "film", tasks="towards")
    records = equipoise.evaluate(predictor, finished.folder / "config.yaml")
    assert predictor.predict("good film", "film", tasks="towards") == before
    for baseline in ("run", "zero_shot", "few_shot"):
        then = {key: value for key, value in values(finished.records, baseline).items() if key[0] == "test"}
        assert values(records, baseline) == pytest.approx(then, abs=1e-6)


def test_few_shot_reads_its_demonstrations(finished):
    assert values(finished.records, "few_shot") != values(finished.records, "zero_shot")


def test_demonstrations_that_do_not_fit_are_counted(tmp_path, tiny_llm):
    data = prompted_data(tmp_path, tiny_llm)
    data["tasks"] = {"towards": data["tasks"]["towards"]}
    data["max_length"] = 250
    data["evaluation"] |= {"baselines": ["few_shot"], "shots": 3}
    config = make_config(data)
    table = load_table(config)
    records, notes = score_prompted(build_model(config, table), table, config, ["dev"])
    assert records
    (note,) = notes
    assert note in {
        f"few_shot, task 'towards': {shown} of 3 demonstrations are shown (the model reads no more tokens)."
        for shown in (0, 1, 2)
    }


def test_answers_that_cannot_be_told_apart_leave_a_task_without_a_row(tmp_path, tiny_llm):
    data = prompted_data(tmp_path, tiny_llm)
    lines = (tmp_path / "words.csv").read_text().splitlines()
    path = tmp_path / "numbers.csv"
    path.write_text(
        "text,rank\n" + "\n".join(f"{line.split(',')[0]},{1 + 9 * (i % 2)}" for i, line in enumerate(lines))
    )
    data["sources"] = {"reviews": {"path": str(path)}}
    data["tasks"] = {"rank": {"source": "reviews", "kind": "classification", "label": "rank"}}
    config = make_config(data)
    table = load_table(config)
    records, notes = score_prompted(build_model(config, table), table, config, ["test"])
    assert records == []
    assert notes == [
        "Task 'rank' has no row of the base language model: the answer '1' begins the answer '10' (in tokens), so "
        "their probabilities cannot be told apart."
    ]


def test_an_encoder_is_refused_before_anything_is_written(tmp_path, tiny_model):
    data = words_data(tmp_path, tiny_model)
    data["evaluation"]["baselines"] = ["zero_shot"]
    with pytest.raises(UsageError, match=r"few_shot prompt a language model, .* is no decoder .* smollm2-135m"):
        train(make_config(data))
    assert not (tmp_path / "run").exists()


def test_a_model_on_another_device_is_prompted_as_on_the_cpu(tmp_path, tiny_llm, elsewhere):
    """Also for a score, whose grid of numbers is a tensor of the task's own."""
    config = make_config(prompted_data(tmp_path, tiny_llm))
    table = load_table(config)
    backbone, tokenizer = load_backbone(str(tiny_llm), language_model=True)
    prompted, _ = prompting.choose_prompted(backbone, tokenizer, table, config)
    assert {"regression", "multilabel", "classification", "generation"} >= {
        task.kind for task in prompted.tasks.values()
    }
    assert "intensity" in prompted.tasks

    def predict(baseline):
        return prompting.predict_prompted(backbone, tokenizer, prompted, config, baseline, ["dev"])[0]["dev"]

    expected = {baseline: predict(baseline) for baseline in ("zero_shot", "few_shot")}
    with elsewhere() as device:
        backbone.to(device)
        on_device = {baseline: predict(baseline) for baseline in expected}
    for baseline, answers in expected.items():
        for task, values in answers.items():
            if values.dtype == object:
                assert on_device[baseline][task].tolist() == values.tolist()
            else:
                np.testing.assert_allclose(on_device[baseline][task], values, rtol=1e-3, atol=1e-5)


def test_demonstrations_are_ordered_by_meta_data(tmp_path, tiny_llm, monkeypatch):
    seen = {}

    def keep(tokenizer, task, examples, *others):
        seen.setdefault(order, {})[task.name] = [text for _, text, _ in examples]
        return demonstrate(tokenizer, task, examples, *others)

    monkeypatch.setattr(prompting, "demonstrate", keep)
    data = prompted_data(tmp_path, tiny_llm)
    data["evaluation"] |= {"baselines": ["few_shot"], "shots": 3}
    for order in ("random", "easy_first", "hard_first"):
        data["evaluation"]["demonstrations"] = order
        config = make_config(data)
        table = load_table(config)
        model = build_model(config, table)
        score_prompted(model, table, config, ["dev"])
    for name in seen["random"]:
        texts = table.splits["train"].select(table.rows(name, "train"))["text"][:]
        hard = dict(zip(texts, score_examples(table, name), strict=True))
        assert seen["easy_first"][name] == sorted(seen["random"][name], key=hard.get)
        assert seen["hard_first"][name] == sorted(seen["random"][name], key=hard.get, reverse=True)
    assert seen["random"] != seen["easy_first"]
