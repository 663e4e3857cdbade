"""What can be exported, and what the command says."""

import pytest
import torch

from corpus import write_run
from equipoise.errors import MESSAGE_LIMIT, ModelError, OutputError, UsageError
from equipoise.exporting import export_onnx, network
from equipoise.kinds import Triplets
from equipoise.modeling import MultiTaskModel, load_backbone
from equipoise.training import train
from exported import TASKS
from prompted import make_model, make_tasks


def test_tasks_that_no_graph_can_answer_are_named(tmp_path, tiny_model, tiny_llm):
    triplets = Triplets("opinions", "s", "text", None, "opinions", "triplet_f1", ("x", "y"), whole_words=True)
    tasks = {"stars": TASKS["stars"], "opinions": triplets}
    MultiTaskModel(*load_backbone(str(tiny_model)), tasks, 32).save_pretrained(tmp_path / "pairs")
    make_model(tiny_llm, make_tasks(polarity="prompt")).save_pretrained(tmp_path / "prompted")
    for name, expected in (("pairs", "'opinions': they read pairs of tokens"), ("prompted", "format: prompt")):
        with pytest.raises(ModelError) as caught:
            export_onnx(tmp_path / name, tmp_path / "onnx")
        assert expected in str(caught.value)
        assert len(str(caught.value)) <= MESSAGE_LIMIT
    assert not (tmp_path / "onnx").exists()


def test_what_lies_in_the_output_is_kept(tmp_path, model_to_export):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"notes\.txt"):
        export_onnx(model_to_export, tmp_path / "other", overwrite=True)
    export_onnx(model_to_export, tmp_path / "onnx")
    with pytest.raises(OutputError, match="replace it with --overwrite"):
        export_onnx(model_to_export, tmp_path / "onnx")
    export_onnx(model_to_export, tmp_path / "onnx", overwrite=True)
    with pytest.raises(OutputError, match="the output is the input MODEL"):
        export_onnx(model_to_export, model_to_export)


def test_a_graph_that_computes_something_else_is_not_written(tmp_path, model_to_export, monkeypatch):
    def write_other(module, example, *arguments):
        with torch.no_grad():
            module.model.head("stars").layers[-1].bias.add_(0.001)
        try:
            return write(module, example, *arguments)
        finally:
            with torch.no_grad():
                module.model.head("stars").layers[-1].bias.sub_(0.001)

    write = network._write
    monkeypatch.setattr(network, "_write", write_other)
    with pytest.raises(
        ModelError, match=r"task 'stars': the exported graph's predictions differ .* nothing was written"
    ):
        export_onnx(model_to_export, tmp_path / "onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_network_that_cannot_be_written_is_one_message(tmp_path, model_to_export, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("Exporting the operator 'aten::histc' is not supported\nand more")

    monkeypatch.setattr(torch.onnx, "export", fail)
    with pytest.raises(ModelError, match=r"cannot be written as ONNX \(Exporting the operator 'aten::histc'"):
        export_onnx(model_to_export, tmp_path / "onnx")


def test_what_is_missing_is_named(tmp_path, model_to_export, monkeypatch):
    with pytest.raises(ModelError, match="does not exist"):
        export_onnx(tmp_path / "nowhere", tmp_path / "onnx")
    with pytest.raises(UsageError, match="give int8"):
        export_onnx(model_to_export, tmp_path / "onnx", data="run.yaml")
    monkeypatch.setattr("equipoise.exporting.export.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'equipoise\[onnx\]'"):
        export_onnx(model_to_export, tmp_path / "onnx")


def test_int8_is_measured_on_dev(tmp_path, tiny_model):
    run_file = write_run(tmp_path, tiny_model, max_steps=2, evaluations=1)
    train(run_file)
    exported = export_onnx(tmp_path / "run", tmp_path / "onnx", int8=True)
    assert exported.notes == ()
    assert {loss.task for loss in exported.losses} == set(exported.differences)
    from equipoise.evaluation import evaluate

    scores = {
        record["task"]: record["value"]
        for record in evaluate(tmp_path / "run", run_file, split="dev")
        if record["model"] == "run"
        and record["subset"] == "all"
        and record["metric"] in {loss.metric for loss in exported.losses if loss.task == record["task"]}
    }
    for loss in exported.losses:
        assert loss.fp32 == pytest.approx(scores[loss.task], abs=1e-6)


def test_the_command_prints_how_exact_the_graph_is(tmp_path, model_to_export, capsys, monkeypatch):
    from equipoise.cli import app

    app(["export", str(model_to_export), "-o", str(tmp_path / "onnx"), "--to", "onnx"], standalone_mode=False)
    printed = capsys.readouterr().out
    assert "largest difference" in printed
    assert all(name in printed for name in TASKS)
