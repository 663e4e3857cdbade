"""Language models from the run file to the report: tasks of all kinds, asked and read, in one model."""

import json
import signal
from statistics import fmean

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import equipoise
from corpus import asked_data, run_data, write_data
from equipoise.balancing import make_balancer
from equipoise.balancing.feature_gradients import feature_gradients, map_gramian
from equipoise.config import load_config, make_config
from equipoise.data import Collator, MixedLengthSampler, load_table
from equipoise.errors import DataError, ModelError, UsageError
from equipoise.training import MultiTaskTrainer, TrainingBatches, train
from equipoise.training.building import build_model, encode_table
from processes import in_two_processes, train_without_dropout
from prompted import TEXTS, encode, make_batch, make_model, make_tasks, run_batch
from strike import strike

TASKS = ("tone", "strength", "kinds", "title", "polarity", "intensity", "words")


def read_log(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def outcome(folder):
    weights = load_file(folder / "model/task_modules.safetensors")
    for file in ("backbone/model.safetensors", "adapter/adapter_model.safetensors"):
        if (folder / "model" / file).exists():
            weights |= load_file(folder / "model" / file)
    return weights


def losses_fall(folder):
    """By task whether the mean loss of the last five steps is below that of the first five."""
    losses = [line["losses"] for line in read_log(folder) if "losses" in line]
    assert len(losses) == 20
    return {
        task: fmean(line[task] for line in losses[-5:]) < fmean(line[task] for line in losses[:5]) for task in TASKS
    }


def short(folder, model, **changes):
    """Twenty steps, dev scored once."""
    data = asked_data(folder, model, max_steps=20, evaluations=1, warmup=0.0, **changes)
    return {**data, "balance": "equal"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory, tiny_llm):
    return train(make_config(short(tmp_path_factory.mktemp("asked"), tiny_llm)))


def test_twenty_steps_teach_every_kind(finished):
    assert losses_fall(finished.folder) == dict.fromkeys(TASKS, True)


def test_the_saved_model_predicts_as_the_run(finished):
    predictor = equipoise.load(finished.folder)
    assert set(predictor.tasks) == set(TASKS)
    table = load_table(load_config(finished.folder / "config.yaml"))
    answers = predictor.predict(table.splits["test"]["text"][:])
    with np.load(finished.folder / "predictions.npz", allow_pickle=False) as arrays:
        assert [answer["title"]["text"] for answer in answers] == arrays["test/title"].tolist()
        scores = [answer["strength"]["score"] for answer in answers]
        np.testing.assert_allclose(scores, arrays["test/strength"], atol=1e-5)
        shares = [list(answer["tone"]["probabilities"].values()) for answer in answers]
        np.testing.assert_allclose(shares, arrays["test/tone"], atol=1e-5)
    assert equipoise.evaluate(predictor, finished.folder / "config.yaml") == [
        record for record in finished.records if record["split"] == "test"
    ]


@pytest.mark.starter
def test_twenty_steps_teach_a_real_model_every_kind(tmp_path, smollm2):
    """The same three rows each time: this shows that every kind learns, not how well."""
    data = short(tmp_path, smollm2, batch_size=3, learning_rate=1e-3)
    rows = [
        {"text": "a great film", "score": 1, "label": "positive", "words": "praise", "title": "great film"},
        {"text": "an awful price", "score": -1, "label": "negative", "words": "blame", "title": "awful price"},
        {"text": "no idea what this is", "score": 0, "label": "positive", "words": [], "title": "no idea"},
    ]
    for split in ("train", "dev", "test"):
        texts = [{**row, "text": f"{row['text']}, {split}"} for row in rows[: None if split == "train" else 2]]
        (tmp_path / f"{split}.jsonl").write_text("\n".join(map(json.dumps, texts)))
    data["sources"]["reviews"] = {split: str(tmp_path / f"{split}.jsonl") for split in ("train", "dev", "test")}
    data["tasks"]["strength"]["range"] = [-2, 2]  # five numbers, not eleven
    data |= {"lora": {}, "prompt": {"chat": False}}
    run = train(make_config(data))
    assert losses_fall(run.folder) == dict.fromkeys(TASKS, True)


def test_a_killed_run_with_an_adapter_ends_as_one_never_killed(tmp_path, tiny_llm):
    folders = []
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
        data = asked_data(tmp_path / name, tiny_llm, max_steps=12, evaluations=2, batch_size=8)
        for task in ("kinds", "words", "polarity", "strength"):
            del data["tasks"][task]
        data["lora"] = {"rank": 2, "dropout": 0.1}
        run_file = write_data(tmp_path / name, data)
        if name == "killed":
            assert strike(run_file, 9, signal.SIGKILL).exit_code == -signal.SIGKILL
            checkpoint = load_file(tmp_path / "killed/run/checkpoints/checkpoint-6/model.safetensors")
            assert {key.split(".")[0] for key in checkpoint} == {"backbone", "_heads"}
            assert all(".lora_" in key for key in checkpoint if key.startswith("backbone."))
        train(run_file, resume=True)
        folders.append(tmp_path / name / "run")
    one, other = map(outcome, folders)
    assert one.keys() == other.keys()
    assert any(".lora_" in name for name in one)
    for name, tensor in one.items():
        assert torch.equal(tensor, other[name]), name
    for line, another in zip(*map(read_log, folders), strict=True):
        assert (line.get("losses"), line.get("dev")) == (another.get("losses"), another.get("dev"))
    assert (folders[0] / "metrics.json").read_text() == (folders[1] / "metrics.json").read_text()


@pytest.fixture
def make_trainer(tmp_path, tiny_llm):
    def make(data, **train):
        config = make_config(data)
        table = load_table(config)
        model = build_model(config, table)
        rows, _ = encode_table(table, model)
        settings = config.train.model_copy(update=train)
        return MultiTaskTrainer(
            model=model,
            balancer=make_balancer("equal", {name: task.kind for name, task in table.tasks.items()}),
            batches=TrainingBatches(
                rows["train"],
                MixedLengthSampler(rows["train"]["length"], rows["train"]["source"], settings.batch_size),
                Collator(model.tokenizer, table.tasks),
            ),
            score_dev=lambda: {"run_score": 0.0},
            config=settings,
            folder=tmp_path / "run",
        )

    return make


def test_accumulated_batches_give_the_gradient_of_the_joined_batch(make_trainer, tmp_path, tiny_llm):
    """Each target token counts alike, however the rows are parted."""
    whole = make_trainer(asked_data(tmp_path, tiny_llm))
    parts = make_trainer(asked_data(tmp_path, tiny_llm), gradient_accumulation=3)
    items = sorted((whole.train_dataset[number] for number in range(12)), key=lambda item: len(item["tokens:title"]))
    counts = [parts.count_labels(parts.data_collator(part))["title"] for part in (items[:2], items[2:])]
    assert counts[0] / 2 < counts[1] / 10
    found = []
    for trainer, batches in ((whole, [items]), (parts, [items[:2], items[2:7], items[7:]])):
        trainer.model.eval()
        collated = [trainer.data_collator(part) for part in batches]
        trainer.get_batch_samples(iter(collated), len(collated), torch.device("cpu"))
        for batch in collated:
            trainer.compute_loss(trainer.model, batch).backward()
        found.append({name: parameter.grad for name, parameter in trainer.model.named_parameters()})
    for name, gradient in found[0].items():
        torch.testing.assert_close(found[1][name], gradient, atol=1e-6, rtol=1e-4, msg=name)


def test_task_gradients_meet_where_they_met_without_questions(tiny_llm):
    """For heads the Gramian at the features is that at the pooled vectors; answers have gradients there too."""
    model = make_model(tiny_llm, make_tasks(polarity="head", intensity="head"))
    seen = {}
    watched = {"pooled": model.features.pooling, "features": model.features, "views": model.task_features}
    for name, module in watched.items():
        module.register_forward_hook(lambda module, inputs, output, name=name: seen.update({name: output}))
    labels = {"polarity": [0, 1, 2, None], "intensity": [0.5, None, -1.0, 0.0]}
    rows = encode(model, TEXTS, **labels, title=["so", None, "bad", "x"], emotions=[[0, 1]] * 4)
    batch = make_batch(model, rows)
    losses = model.losses(run_batch(model, batch), batch["targets"])
    means = {task: loss.mean() for task, loss in losses.items()}
    scored = {(row, place) for row, item in enumerate(rows) for place in item["positions:title"]}
    scored |= {(row, place) for row, item in enumerate(rows) for place in item["positions:emotions"]}
    assert len(seen["features"]) == len(TEXTS) + len(scored)
    read = [means["polarity"], means["intensity"]]
    expected = map_gramian(feature_gradients(read, seen["pooled"]), seen["pooled"])
    deltas = feature_gradients(list(means.values()), seen["features"])
    assert torch.equal(feature_gradients(list(means.values()), [seen["views"][task] for task in means]), deltas)
    found = map_gramian(deltas, seen["features"])
    torch.testing.assert_close(found[:2, :2], expected, rtol=1e-5, atol=1e-9)
    assert (found.diagonal() > 0).all()
    assert found[0, 3] != 0


def two_sources(folder, model, **options):
    """Rows that are asked about, and rows of their own, as long as those, that heads read."""
    data = asked_data(folder, model, **options)
    header, *lines = (folder / "reviews.csv").read_text().splitlines()
    longer = [line.replace(",", " " + "z" * 60 + ",", 1) for line in lines]
    (folder / "others.csv").write_text("\n".join([header, *longer]) + "\n")
    data["sources"]["others"] = {"path": str(folder / "others.csv")}
    data["tasks"] = {task: data["tasks"][task] for task in ("title", "tone", "polarity", "intensity")}
    for task in ("polarity", "intensity"):
        data["tasks"][task]["source"] = "others"
    return data


def test_two_processes_train_the_model_of_one(tmp_path, tiny_llm):
    """Also where no token is scored in one of them."""
    runs = {}
    for name, size in (("one", 4), ("two", 2)):
        (tmp_path / name).mkdir()
        options = {"max_steps": 10, "evaluations": 1, "batch_size": size, "learning_rate": 1e-3, "warmup": 0.0}
        runs[name] = write_data(tmp_path / name, two_sources(tmp_path / name, tiny_llm, **options))
    config = make_config(json.loads(runs["one"].read_text()))
    table = load_table(config)
    rows, _ = encode_table(table, build_model(config, table))
    asked = [len(found) > 0 for found in rows["train"]["positions:title"]]
    order = list(MixedLengthSampler(rows["train"]["length"], rows["train"]["source"], 4))[:40]
    in_one_alone = [
        any(asked[row] for row in order[start : start + 2]) != any(asked[row] for row in order[start + 2 : start + 4])
        for start in range(0, 40, 4)
    ]
    assert any(in_one_alone)
    train_without_dropout(runs["one"])
    ended = in_two_processes(train_without_dropout, runs["two"])
    assert [process.exit_code for process in ended] == [0, 0], ended
    one, two = tmp_path / "one" / "run", tmp_path / "two" / "run"
    for line, other in zip(read_log(one), read_log(two), strict=True):
        for key in ("losses", "weights"):
            assert other.get(key, {}) == pytest.approx(line.get(key, {}), rel=1e-3), (line["step"], key)
    others = outcome(two)
    for name, tensor in outcome(one).items():
        torch.testing.assert_close(others[name], tensor, atol=1e-4, rtol=1e-3, msg=name)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"tasks.strength.range": None}, UsageError, "found no 'range', which format: prompt needs"),
        ({"tasks.tone.template": "{text} {"}, UsageError, "'template': found '{text} {', which is no template"),
        ({"tasks.tone.template": "What?"}, UsageError, "expected a template with {text} once"),
        ({"tasks.tone.template": "{text} {aspect}"}, UsageError, "found the field {aspect}, expected {text}, {task}"),
        ({"tasks.kinds.template": "{text}"}, UsageError, "expected a template with {label}"),
        ({"tasks.polarity.template": "{text}"}, UsageError, "'template' goes with format: prompt"),
        ({"tasks.title.format": "head"}, UsageError, "expected 'prompt' for kind: generation"),
        ({"tasks.tone.verbalize": {"superb": "x"}}, DataError, "`verbalize` names the class 'superb', expected one of"),
        ({"tasks.tone.verbalize": {"neutral": " "}}, UsageError, "gives the class 'neutral' no words"),
        ({"tasks.tone.verbalize": {"neutral": "positively"}}, UsageError, "the answer 'positive' begins the answer"),
        ({"max_length": 30}, UsageError, r"its question alone takes \d+ tokens, .* make max_length \d+ or more"),
        ({"max_length": 510}, ModelError, r"max_length is 510 and an answer of tasks.\w+ takes up to"),
        ({"lora": {}, "train.freeze_layers": 2}, ModelError, "found more than the 2 layers of "),
        ({"train.freeze_layers": 3}, ModelError, "found more than the 2 layers of "),
        ({"lora": {"targets": ["nothing"]}}, ModelError, r"lora: no adapter can be put on LlamaForCausalLM .* q_proj"),
        ({"pooling": "max"}, UsageError, "pooling"),
    ],
)
def test_what_cannot_be_asked(tmp_path, tiny_llm, changes, error, message):
    data = asked_data(tmp_path, tiny_llm)
    for key, value in changes.items():
        *path, last = key.split(".")
        section = data
        for part in path:
            section = section[part]
        section[last] = value
    with pytest.raises(error, match=message):
        train(make_config(data))
    assert not (tmp_path / "run").exists()


def test_an_empty_target_is_named(tmp_path, tiny_llm):
    data = asked_data(tmp_path, tiny_llm)
    file = tmp_path / "words.csv"
    lines = file.read_text().splitlines()
    lines[3] = lines[3].rpartition(",")[0] + ',"  "'
    file.write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match=r"words.csv, line 4, column 'title' .*expected a text to learn to write"):
        train(make_config(data))


def test_an_encoder_cannot_be_asked(tmp_path, tiny_model):
    with pytest.raises(ModelError, match=r"tasks.tone: it prompts .* choose one, such as smollm2-135m"):
        train(make_config(asked_data(tmp_path, tiny_model)))


def test_a_backbone_from_nothing_has_no_adapter_and_no_checkpointing(tmp_path):
    data = run_data(tmp_path, "bilstm")
    with pytest.raises(ModelError, match="lora: bilstm starts from nothing"):
        train(make_config({**data, "lora": {"targets": ["lstm"]}}))
    data["train"]["gradient_checkpointing"] = True
    with pytest.raises(ModelError, match=r"train.gradient_checkpointing: BiLstmModel cannot"):
        train(make_config(data))


def test_options_of_training_reach_the_backbone(tmp_path, tiny_llm):
    data = asked_data(tmp_path, tiny_llm, freeze_layers=1, gradient_checkpointing=True)
    data |= {"pooling": "mean", "prompt": {"chat": False}}
    config = make_config(data)
    table = load_table(config)
    model = build_model(config, table)
    assert model.backbone.is_gradient_checkpointing
    assert model.pooling == "mean"
    frozen = {name for name, parameter in model.backbone.named_parameters() if not parameter.requires_grad}
    assert "model.embed_tokens.weight" in frozen
    assert {name.split(".")[2] for name in frozen if ".layers." in name} == {"0"}
    rows, _ = encode_table(table, model)
    assert model.tokenizer.decode(rows["test"][0]["prompt:title"]).endswith("\ntitle?\nAnswer:")
