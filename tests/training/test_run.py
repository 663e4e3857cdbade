import json

import pytest
import torch

import equipoise
from corpus import run_data, write_run
from equipoise import precision as precisions
from equipoise.balancing import NonFiniteLoss
from equipoise.config import dump_config, load_config, make_config
from equipoise.errors import OutputError, TrainingError, UsageError
from equipoise.kinds.classification.objective import ClassificationObjective
from equipoise.training import preparing, train
from equipoise.training.run_folder import HEADER


def read_log(folder):
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [line for line in lines if "loss" in line], [line for line in lines if "dev" in line]


@pytest.fixture(scope="module")
def finished(tmp_path_factory, tiny_model):
    folder = tmp_path_factory.mktemp("finished")
    write_run(folder, tiny_model, epochs=8)
    return train(folder / "run.yaml")


def test_a_run_leaves_what_the_readme_says(finished):
    found = {path.name for path in finished.folder.iterdir()}
    assert found == {
        "config.yaml",
        "data.json",
        "log.jsonl",
        "metrics.json",
        "mistakes.json",
        "model",
        "predictions.npz",
        "report.html",
        "summary.json",
        "trust.json",
    }
    files = {path.suffix for path in (finished.folder / "model").rglob("*") if path.is_file()}
    assert files <= {".json", ".safetensors", ".txt", ".md"}


def test_every_task_learns(finished):
    steps, _ = read_log(finished.folder)
    for task in ("intensity", "polarity", "towards"):
        losses = [step["losses"][task] for step in steps if task in step["losses"]]
        early, late = losses[: len(losses) // 5], losses[-len(losses) // 5 :]
        assert sum(late) / len(late) < 0.9 * sum(early) / len(early)
    assert finished.run_score > 0.5


def test_the_log_has_a_line_a_step(finished):
    steps, scorings = read_log(finished.folder)
    summary = json.loads((finished.folder / "summary.json").read_text())
    assert [step["step"] for step in steps] == list(range(1, summary["steps"] + 1))
    assert len(scorings) == 3
    assert scorings[-1]["step"] == summary["steps"]
    for step in steps:
        assert sum(step["weights"].values()) == pytest.approx(len(step["losses"]))
        assert step["tokens_per_second"] > step["rows_per_second"] > 0
    assert steps[0]["learning_rate"] < max(step["learning_rate"] for step in steps)


def test_the_best_checkpoint_is_kept(finished):
    _, scorings = read_log(finished.folder)
    best = max(scorings, key=lambda line: line["dev"]["run_score"])
    summary = json.loads((finished.folder / "summary.json").read_text())
    assert summary["best_step"] == best["step"]
    assert summary["run_score"]["dev"] == pytest.approx(best["dev"]["run_score"], abs=1e-6)


def test_metrics_are_tidy_records(finished):
    records = json.loads((finished.folder / "metrics.json").read_text())
    assert {record["model"] for record in records} == {"run", "majority"}
    assert {record["split"] for record in records} == {"dev", "test"}
    for record in records:
        assert set(record) == {"split", "subset", "model", "task", "metric", "value", "low", "high", "n"}
        assert (record["low"] is None and record["metric"] == "aurc") or record["low"] <= record["high"]


def test_the_written_configuration_reruns_to_the_same_model(finished, tmp_path):
    again = train(finished.folder / "config.yaml", [f"output={tmp_path / 'again'}"])
    assert again.records == finished.records


def test_the_model_predicts_what_the_run_measured(finished):
    table_scores = {
        (record["task"], record["metric"]): record["value"]
        for record in finished.records
        if record["model"] == "run" and record["split"] == "test" and record["subset"] == "all"
    }
    records = equipoise.evaluate(finished.folder, finished.folder / "config.yaml")
    for record in records:
        if record["model"] == "run" and record["subset"] == "all":
            assert record["value"] == pytest.approx(table_scores[record["task"], record["metric"]], abs=1e-9)


def test_a_finished_run_is_not_overwritten_unasked(finished):
    with pytest.raises(TrainingError, match="holds a finished run; replace it with --overwrite"):
        train(finished.folder / "config.yaml")
    before = (finished.folder / "report.html").stat().st_mtime_ns
    assert train(finished.folder / "config.yaml", resume=True).records == finished.records
    assert (finished.folder / "report.html").stat().st_mtime_ns == before


def test_resuming_with_other_settings_is_refused(finished):
    with pytest.raises(TrainingError, match=r"started with other settings \(train.learning_rate: 0.003 there, 0.1 now"):
        train(finished.folder / "config.yaml", ["train.learning_rate=0.1"], resume=True)


def test_a_folder_with_other_files_is_left_alone(tmp_path, tiny_model):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").write_text("years of work")
    write_run(tmp_path, tiny_model)
    for name in ("notes.txt", "config.yaml"):
        (tmp_path / "run" / name).write_text("a: 1")
        for options in ({"overwrite": True}, {"resume": True}, {}):
            with pytest.raises(OutputError, match="holds other files"):
                train(tmp_path / "run.yaml", **options)
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"thesis.tex", "notes.txt", "config.yaml"}


def test_an_output_that_is_a_file(tmp_path, tiny_model):
    (tmp_path / "run").write_text("a file")
    write_run(tmp_path, tiny_model)
    with pytest.raises(OutputError, match="found a file, expected a folder"):
        train(tmp_path / "run.yaml")


def test_a_run_killed_before_its_first_step_is_resumed(tmp_path, tiny_model):
    run_file = write_run(tmp_path, tiny_model, max_steps=2, evaluations=1)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").write_text(HEADER + dump_config(load_config(run_file)))
    train(run_file, resume=True)
    assert (tmp_path / "run" / "report.html").exists()


def test_what_the_run_reads_is_not_where_it_writes(tmp_path, tiny_model):
    run_file = write_run(tmp_path, tiny_model)
    (tmp_path / "run").mkdir()
    inside = tmp_path / "run" / "data.json"
    inside.write_text("[]")
    (tmp_path / "run" / "config.yaml").write_text(HEADER)
    with pytest.raises(OutputError, match=r"holds the input sources\.reviews\.path"):
        train(run_file, [f"sources.reviews.path={inside}"], overwrite=True)
    assert inside.read_text() == "[]"


def test_a_finished_run_that_lost_a_file(tmp_path, tiny_model):
    run_file = write_run(tmp_path, tiny_model, max_steps=1, evaluations=1)
    run = train(run_file)
    (run.folder / "metrics.json").unlink()
    with pytest.raises(TrainingError, match="not a finished run, or a damaged one"):
        train(run_file, resume=True)


def test_mistakes_leave_nothing_behind(tmp_path, tiny_model):
    write_run(tmp_path, tiny_model, balance="daoo")
    with pytest.raises(UsageError, match="Did you mean 'dao'"):
        train(tmp_path / "run.yaml")
    write_run(tmp_path, tmp_path / "no-such-model")
    with pytest.raises(equipoise.EquipoiseError, match="no-such-model does not exist"):
        train(tmp_path / "run.yaml")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["reviews.csv", "run.yaml"]


def test_a_loss_that_is_no_number_stops_with_the_task_and_keeps_the_checkpoint(tmp_path, tiny_model, monkeypatch):
    write_run(tmp_path, tiny_model)
    loss, calls = ClassificationObjective.loss, []

    def broken(self, outputs, targets):
        calls.append(1)
        values = loss(self, outputs, targets)
        # Two classification tasks: the second call of a step is 'towards'.
        return values * float("nan") if len(calls) > 24 and len(calls) % 2 == 0 else values

    monkeypatch.setattr("equipoise.training.preparing.try_step", lambda *args: None)
    monkeypatch.setattr(ClassificationObjective, "loss", broken)
    with pytest.raises(NonFiniteLoss, match=r"Step [0-9]+: .*'towards'.* change them, and start anew"):
        train(tmp_path / "run.yaml")
    kept = list((tmp_path / "run" / "checkpoints").glob("checkpoint-*/complete"))
    assert kept
    monkeypatch.undo()
    train(tmp_path / "run.yaml", resume=True)


def test_a_gradient_that_is_no_number_stops_before_its_checkpoint(tmp_path, tiny_model, monkeypatch):
    run_file = write_run(tmp_path, tiny_model, balance="equal")
    loss, calls = ClassificationObjective.loss, []

    def broken(self, outputs, targets):
        values = loss(self, outputs, targets)
        if values.requires_grad:
            calls.append(1)
            if len(calls) == 2 * 22:  # the second of two tasks in the step whose checkpoint is due
                values.register_hook(lambda gradient: gradient * float("inf"))
        return values

    monkeypatch.setattr("equipoise.training.preparing.try_step", lambda *args: None)
    monkeypatch.setattr(ClassificationObjective, "loss", broken)
    with pytest.raises(
        NonFiniteLoss, match="The gradient of step 22 is not finite, beginning with the loss of 'towards'"
    ):
        train(run_file)
    kept = list((tmp_path / "run" / "checkpoints").glob("checkpoint-*/complete"))
    assert [path.parent.name for path in kept] == ["checkpoint-11"]


def test_frozen_embeddings_stay(tmp_path, tiny_model):
    from transformers import AutoModel

    write_run(tmp_path, tiny_model, freeze_embeddings=True, max_steps=3)
    train(tmp_path / "run.yaml")
    before = AutoModel.from_pretrained(tiny_model).get_input_embeddings().weight
    after = equipoise.load(tmp_path / "run").model.backbone.get_input_embeddings().weight
    assert torch.equal(before, after)


def test_patience_stops_early(tmp_path, tiny_model):
    # A learning rate of nearly nothing: dev never gets better.
    write_run(tmp_path, tiny_model, learning_rate=1e-12, head_learning_rate=1e-12, evaluations=8, patience=2)
    train(tmp_path / "run.yaml")
    _, scorings = read_log(tmp_path / "run")
    assert len(scorings) == 3


@pytest.mark.parametrize(
    "balance", ["equal", {"name": "static", "weights": {"intensity": 1, "polarity": 2, "towards": 1}}, "uncertainty"]
)
def test_other_balancers_train_too(tmp_path, tiny_model, balance):
    data = run_data(tmp_path, tiny_model, max_steps=3, evaluations=1)
    run = train(make_config({**data, "balance": balance}))
    assert load_config(run.folder / "config.yaml").balance.name == (
        balance if isinstance(balance, str) else balance["name"]
    )


@pytest.mark.parametrize("resume", [False, True])
def test_a_run_that_ended_while_another_was_loading_is_kept(tmp_path, tiny_model, monkeypatch, resume):
    run_file = write_run(tmp_path, tiny_model, max_steps=2, evaluations=1)
    build_model, ended = preparing.build_model, []

    def load_late(*arguments):
        if not ended:
            ended.append(True)
            train(run_file)
            ended.append((tmp_path / "run" / "report.html").stat().st_mtime_ns)
        return build_model(*arguments)

    monkeypatch.setattr(preparing, "build_model", load_late)
    if resume:
        train(run_file, resume=True)
    else:
        with pytest.raises(TrainingError, match="holds a finished run"):
            train(run_file)
    assert (tmp_path / "run" / "report.html").stat().st_mtime_ns == ended[1]


@pytest.mark.parametrize(
    ("precision", "fast", "dtype"),
    [("fp32", True, torch.float32), ("bf16", True, torch.bfloat16), ("bf16", False, torch.float32)],
)
def test_precision_is_that_of_training_and_scoring_is_exact(tmp_path, tiny_model, monkeypatch, precision, fast, dtype):
    monkeypatch.setattr(precisions, "_has_fast_bfloat16", lambda: fast)
    seen = {True: set(), False: set()}
    linear = torch.nn.functional.linear

    def spy(inputs, weight, bias=None):
        output = linear(inputs, weight, bias)
        seen[torch.is_grad_enabled()].add(output.dtype)
        return output

    monkeypatch.setattr(torch.nn.functional, "linear", spy)
    write_run(tmp_path, tiny_model, max_steps=2)
    run = train(tmp_path / "run.yaml", [f"train.precision={precision}"])
    assert seen == {True: {dtype}, False: {torch.float32}}
    notes = json.loads((run.folder / "data.json").read_text())["notes"]
    assert any("float32 is used instead" in note for note in notes) == (not fast)
    model = equipoise.load(run.folder).model
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


@pytest.mark.parametrize(("precision", "fused"), [("fp32", True), ("bf16", False)])
def test_short_rows_attend_without_the_fused_kernel_in_bfloat16(tmp_path, tiny_model, monkeypatch, precision, fused):
    monkeypatch.setattr(precisions, "_has_fast_bfloat16", lambda: True)
    seen = {True: 0, False: 0}
    attend = torch.nn.functional.scaled_dot_product_attention

    def spy(*args, **options):
        seen[torch.is_grad_enabled()] += 1
        return attend(*args, **options)

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", spy)
    write_run(tmp_path, tiny_model, max_steps=2)
    train(tmp_path / "run.yaml", [f"train.precision={precision}"])
    assert (seen[True] > 0) == fused
    assert seen[False] > 0, "test is scored as the model will be used"


@pytest.mark.parametrize("where", ["features", "parameters"])
def test_gradients_are_taken_where_the_run_file_says(tmp_path, tiny_model, where):
    weights = {}
    for name, balance in {"map": "dao", where: {"name": "dao", "where": where}}.items():
        write_run(tmp_path, tiny_model, balance=balance, max_steps=1)
        steps, _ = read_log(train(tmp_path / "run.yaml", [f"output={tmp_path / name}"]).folder)
        weights[name] = steps[0]["weights"]
    assert weights["map"] != weights[where]
    assert sum(weights[where].values()) == pytest.approx(3)


def test_float16_on_a_cpu_is_refused_before_anything_is_written(tmp_path, tiny_model, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    run_file = write_run(tmp_path, tiny_model, precision="fp16")
    with pytest.raises(TrainingError, match="found fp16 on a CPU; fp16 needs a GPU; use bf16"):
        train(run_file)
    assert not (tmp_path / "run").exists()


def test_alignment_trains_and_refuses_micro_batches(tmp_path, tiny_model):
    run_file = write_run(tmp_path, tiny_model, {"name": "dao", "alignment": 1.0}, max_steps=2, evaluations=1)
    with pytest.raises(UsageError, match=r"gradients of a whole batch, found train\.gradient_accumulation: 2"):
        train(run_file, ["train.gradient_accumulation=2"])
    assert not (tmp_path / "run").exists()
    steps, _ = read_log(train(run_file).folder)
    for step in steps:
        plain = sum(step["weights"][task] * loss for task, loss in step["losses"].items())
        assert 0 < step["loss"] - plain < 2
