"""Experts from the run file to the table: what is trained, what is scored, what is repeated, what is refused."""

import json
import shutil
import signal
import sys

import numpy as np
import pytest

import equipoise
from corpus import write_data
from equipoise.cli import main
from equipoise.config import load_config, make_config
from equipoise.data import load_table
from equipoise.errors import OutputError, TrainingError, UsageError
from equipoise.evaluation import predict_prompted, score_predictions
from equipoise.experts import plan_cells, run_experts, train_experts
from equipoise.experts.experts_folder import ExpertsFolder
from equipoise.training import read_run, run_prompted, train
from equipoise.training.single_tasks import plan_single_tasks
from strike import strike

MODULES = ("towards", "words", "intensity")


def read_json(path):
    return json.loads(path.read_text(encoding="utf-8"))


def timeless(folder):
    """The records without the time they took."""
    return {name: {**record, "seconds": None} for name, record in ExpertsFolder(folder).journal.read().items()}


def copy_of(experts, folder):
    """A copy of finished experts that can be changed, and its run file."""
    shutil.copytree(experts.folder, folder / "run" / "experts")
    config = load_config(experts.folder / "config.yaml")
    return config.model_copy(update={"output": folder / "run"})


def primary(record, task, split="test"):
    (line,) = [
        line
        for line in record["metrics"]
        if (line["task"], line["split"]) == (task, split) and line["metric"] in ("macro_f1", "pearson", "rouge_l")
    ]
    return line


def test_cells_follow_the_formats(mixed, modules):
    hows = {row["name"]: {task: cell["how"] for task, cell in row["cells"].items()} for row in mixed.results["rows"]}
    asked = {"tone": "asked", "kinds": "asked", "title": "asked", "intensity": "probe"}
    assert hows == {
        "base": asked,
        **{expert: {**asked, expert: "own"} for expert in ("tone", "kinds", "title")},
        "intensity": {"tone": "none", "kinds": "none", "title": "none", "intensity": "own"},
    }
    for row in modules.results["rows"]:
        assert {cell["how"] for task, cell in row["cells"].items() if task != row["expert"]} == {"probe"}


def test_each_expert_is_a_single_task_run_of_the_same_budget(modules):
    config = load_config(modules.folder / "config.yaml")
    _, plans, _ = plan_single_tasks(config, modules.folder, held_out=True)
    assert [plan.task for plan in plans] == list(MODULES)
    for plan in plans:
        own = load_config(modules.folder / plan.task / "config.yaml")
        assert own == plan.config
        assert list(own.tasks) == [plan.task]
        assert {plan.task, *own.held_out} == set(MODULES)
        assert own.train.seed == config.train.seed
        assert equipoise.load(modules.folder / plan.task).tasks.keys() == {plan.task}
    # The smaller source is read more often, as one model for all tasks would read it.
    passes = {name: task["passes"] for name, task in modules.results["tasks"].items()}
    assert passes["towards"] > 1 > passes["words"] == passes["intensity"]


@pytest.mark.parametrize("experts", ["modules", "mixed"])
def test_an_experts_own_cell_is_what_its_run_found(experts, request):
    experts = request.getfixturevalue(experts)
    for row in experts.results["rows"][1:]:
        task = row["expert"]
        own = [{**line, "model": task} for line in read_run(experts.folder / task).records if line["model"] == "run"]
        found = [line for line in ExpertsFolder(experts.folder).journal.read()[task]["metrics"] if line["task"] == task]
        assert found == [line for line in own if line["subset"] == "all"]
        for split in ("dev", "test"):
            assert row["metrics"][split][task] == primary({"metrics": own}, task, split)
    own = [row["metrics"]["test"][row["expert"]]["value"] for row in experts.results["rows"][1:]]
    assert experts.results["own"]["test"] == pytest.approx(np.mean([max(0, value) for value in own]))


def test_the_run_score_needs_every_cell(mixed):
    for row in mixed.results["rows"]:
        values = [line["value"] for line in row["metrics"]["test"].values()]
        expected = None if row["name"] == "intensity" else pytest.approx(np.mean([max(0, v) for v in values]))
        assert row["run_score"]["test"] == expected
    assert [note for note in mixed.results["notes"] if "The experts of intensity answer by a head" in note]


def test_an_expert_is_asked_by_the_tasks_own_template(mixed):
    config = load_config(mixed.folder / "config.yaml")
    model = equipoise.load(mixed.folder / "tone").model
    record = ExpertsFolder(mixed.folder).journal.read()["tone"]
    for plan in plan_single_tasks(config, mixed.folder)[1][1:3]:
        found, _ = predict_prompted(model.backbone, model.tokenizer, plan.table, config, "zero_shot", ("dev", "test"))
        lines = [line for split, one in found.items() for line in score_predictions(one, plan.table, split)]
        kept = [line for line in record["metrics"] if line["task"] == plan.task]
        assert [(line["metric"], line["split"], line["value"], line["n"]) for line in kept] == [
            (line["metric"], line["split"], pytest.approx(line["value"]), line["n"]) for line in lines
        ]
        assert all(line["low"] <= line["value"] <= line["high"] for line in kept)


def test_the_base_is_the_model_before_training(mixed, tmp_path):
    config = load_config(mixed.folder / "config.yaml")
    tasks = {name: config.tasks[name] for name in ("tone", "kinds", "title")}
    lines = run_prompted(config.model_copy(update={"tasks": tasks, "output": tmp_path / "base"}), "zero_shot").records
    base = ExpertsFolder(mixed.folder).journal.read()[None]
    for task in tasks:
        assert primary(base, task)["value"] == pytest.approx(primary({"metrics": lines}, task)["value"])
    assert {line["model"] for line in base["metrics"]} == {"base"}


def test_killed_and_called_again_it_ends_as_if_never_killed(modules, tmp_path, tiny_model, write_modules):
    data = write_modules(tmp_path, tiny_model)
    run_file = write_data(tmp_path, data)
    folder = tmp_path / "run" / "experts"
    steps = [modules.results["tasks"][task]["steps"] for task in MODULES]
    assert steps[0] < steps[1]
    # The second expert alone takes so many steps.
    struck = strike(run_file, steps[0] + 1, signal.SIGKILL, command="experts")
    assert struck.exit_code == -signal.SIGKILL, struck.stderr
    assert [(folder / task / "report.html").exists() for task in MODULES] == [True, False, False]
    assert (folder / "words").is_dir()
    before = (folder / "towards" / "report.html").stat().st_mtime_ns
    found = train_experts(run_file)
    assert timeless(folder) == timeless(modules.folder)
    assert (folder / "towards" / "report.html").stat().st_mtime_ns == before
    assert [row["metrics"] for row in found.results["rows"]] == [row["metrics"] for row in modules.results["rows"]]


def test_ctrl_c_while_training_says_how_to_go_on(tmp_path, tiny_model, write_modules):
    run_file = write_data(tmp_path, write_modules(tmp_path, tiny_model))
    struck = strike(run_file, 2, signal.SIGINT, command="experts")
    assert struck.exit_code == 1
    assert "a checkpoint is saved. Run the same command again to continue." in struck.stderr
    assert "--resume" not in struck.stderr


def test_stopped_while_scoring_it_repeats_no_model(modules, tmp_path, monkeypatch):
    config = copy_of(modules, tmp_path)
    folder = config.output / "experts"
    (folder / "experts.html").unlink()
    journal = folder / "experts.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text(lines[0] + lines[1][:100])
    score, scored = run_experts.score_model, []

    def watched(plans, config, expert, bar):
        scored.append(expert)
        if len(scored) == 2:
            raise KeyboardInterrupt
        return score(plans, config, expert, bar)

    monkeypatch.setattr(run_experts, "score_model", watched)
    with pytest.raises(TrainingError, match=r"Stopped\. Run the same command again to continue"):
        train_experts(config)
    assert not (folder / "experts.html").exists()
    train_experts(config)
    assert scored == ["towards", "words", "words", "intensity"]
    assert timeless(folder) == timeless(modules.folder)
    assert len(journal.read_text().splitlines()) == 4
    train_experts(config)
    assert len(scored) == 4
    # An expert that is trained anew is scored anew.
    shutil.rmtree(folder / "words")
    train_experts(config)
    assert scored[4:] == ["words"]


def test_groups_may_change_and_nothing_else(modules, tmp_path):
    config = copy_of(modules, tmp_path)
    tasks = {**config.tasks, "words": config.tasks["words"].model_copy(update={"group": "emotion"})}
    found = train_experts(config.model_copy(update={"tasks": tasks}))
    groups = {name: task["group"] for name, task in found.results["tasks"].items()}
    assert groups == {"towards": "aspects", "words": "emotion", "intensity": None}
    settings = config.train.model_copy(update={"learning_rate": 1.0})
    with pytest.raises(TrainingError, match=r"train\.learning_rate: 0\.003 there, 1\.0 now.*--overwrite"):
        train_experts(config.model_copy(update={"train": settings}))
    data = read_json(found.folder / "data.json")
    (found.folder / "data.json").write_text(json.dumps({**data, "fingerprint": "other"}))
    with pytest.raises(TrainingError, match="the data changed since the first expert was started"):
        train_experts(config)


def test_overwriting_removes_experts_only_and_not_before_the_model_is_found(modules, tmp_path):
    config = copy_of(modules, tmp_path)
    folder = config.output / "experts"
    shutil.copytree(folder / "words", folder / "former")
    (folder / "notes").mkdir()
    with pytest.raises(equipoise.EquipoiseError, match="does not exist"):
        train_experts(config.model_copy(update={"model": str(tmp_path / "nowhere")}), overwrite=True)
    assert (folder / "former").exists()
    before = (folder / "words" / "report.html").stat().st_mtime_ns
    settings = config.train.model_copy(update={"max_steps": 1})
    train_experts(config.model_copy(update={"train": settings}), overwrite=True)
    assert not (folder / "former").exists()
    assert (folder / "notes").is_dir()
    assert (folder / "words" / "report.html").stat().st_mtime_ns > before


def test_a_joint_run_may_stand_beside_them(modules, tmp_path):
    config = copy_of(modules, tmp_path)
    config = config.model_copy(update={"train": config.train.model_copy(update={"max_steps": 1})})
    train(config)
    train(config, overwrite=True)
    assert (config.output / "experts" / "words" / "model").is_dir()


def test_bad_input_is_refused_before_anything_is_written(tmp_path, tiny_model, write_modules, monkeypatch):
    data = write_modules(tmp_path, tiny_model)

    def refused(error, match, **changes):
        with pytest.raises(error, match=match):
            train_experts(make_config({**data, **changes}))

    refused(UsageError, "bilstm, which starts from nothing", model="bilstm")
    refused(UsageError, "experts: the run file has one task", tasks={"words": data["tasks"]["words"]})
    monkeypatch.setenv("WORLD_SIZE", "2")
    refused(UsageError, "call it without a launcher")
    monkeypatch.delenv("WORLD_SIZE")
    assert not (tmp_path / "run").exists()
    (tmp_path / "run").write_text("")
    refused(OutputError, "run: found a file, expected a folder")
    (tmp_path / "run").unlink()
    (tmp_path / "run" / "experts").mkdir(parents=True)
    (tmp_path / "run" / "experts" / "thesis.tex").write_text("")
    refused(OutputError, r"holds other files \(thesis\.tex\)")
    (tmp_path / "run" / "experts" / "thesis.tex").rename(tmp_path / "run" / "experts" / "reviews.csv")
    inside = {"path": str(tmp_path / "run" / "experts" / "reviews.csv")}
    shutil.rmtree(tmp_path / "run")
    refused(OutputError, r"holds the input sources\.reviews\.path", sources={**data["sources"], "reviews": inside})


def test_which_cells_are_scored_how(modules):
    config = load_config(modules.folder / "config.yaml")
    tasks = load_table(config).scored
    asked = {name: task.replace(format="prompt") for name, task in tasks.items()}
    assert plan_cells(asked, None) == dict.fromkeys(tasks, "asked")
    assert plan_cells(tasks, "words") == {"towards": "probe", "words": "own", "intensity": "probe"}


def test_the_command(modules, tmp_path, monkeypatch, capsys):
    config = copy_of(modules, tmp_path)
    run_file = modules.folder / "config.yaml"
    command = ["equipoise", "experts", str(run_file), "--set", f"output={config.output}"]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as ended:
        main()
    output = capsys.readouterr()
    assert not ended.value.code
    assert "experts.html" in output.out
    for row in modules.results["rows"]:
        assert row["name"] in output.out
    assert f"experts on their own tasks {modules.results['own']['test']:.4f}" in output.out
    monkeypatch.setattr(sys, "argv", [*command, "--set", "train.epochs=9"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith("error: ")


def test_progress_tells_the_time_left(tmp_path, tiny_model, write_modules, monkeypatch, capsys):
    monkeypatch.setattr("equipoise.progress.SECONDS_BETWEEN_LINES", 0.0)
    train_experts(make_config(write_modules(tmp_path, tiny_model, max_steps=2)))
    said = capsys.readouterr().err
    assert "Training expert 2 of 3 (words): step 3 of" in said
    assert "Scoring experts: row " in said
    assert "left" in said
