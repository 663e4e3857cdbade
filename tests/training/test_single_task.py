"""Single-task models beside a joint run."""

import json
import random
import re
import sys
from collections import Counter

import numpy as np
import pytest

from corpus import run_data, write_corpus
from equipoise import progress
from equipoise.cli import main
from equipoise.config import dump_config, load_config, make_config
from equipoise.data import MixedLengthSampler, load_table, read_rows
from equipoise.errors import UsageError
from equipoise.evaluation import item_losses, run_score
from equipoise.evaluation.statistics import sign_flip_test
from equipoise.training import train, train_run
from equipoise.training.budget import count_passes
from equipoise.training.single_tasks import plan_single_tasks, single_task
from pages import Page
from processes import in_two_processes

SCORED = ("intensity", "polarity", "towards")


def write_data(folder, model, **settings):
    """Two sources of different sizes: two scored tasks and an auxiliary one, and one scored task."""
    (folder / "more").mkdir(parents=True)
    write_corpus(folder / "more", rows=60, seed=1)
    data = run_data(folder, model, **{"epochs": 2, "evaluations": 1, **settings})
    data["sources"]["more"] = {"path": str(folder / "more" / "reviews.csv")}
    data["tasks"]["towards"]["source"] = "more"
    data["tasks"]["stratum"] = {
        **{"source": "reviews", "kind": "classification", "label": "score", "auxiliary": True},
        "from_score": {"classes": ["low", "high"]},
    }
    return make_config(data)


def read_json(folder, name):
    return json.loads((folder / name).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def finished(tmp_path_factory, tiny_model):
    return train(write_data(tmp_path_factory.mktemp("single"), tiny_model), single_task=True)


def count_files(monkeypatch):
    """The files of sources that are read from here on."""
    read = []

    def count(path, dialect):
        read.append(path.name)
        return read_rows(path, dialect)

    monkeypatch.setattr("equipoise.data.sources.read_rows", count)
    return read


def test_each_file_is_read_once_and_the_results_are_those_of_runs_alone(finished, tmp_path, tiny_model, monkeypatch):
    config = write_data(tmp_path, tiny_model)
    read = count_files(monkeypatch)
    again = train(config, single_task=True)
    assert read == ["reviews.csv", "reviews.csv"]  # one of each source
    assert again.records == finished.records
    monkeypatch.undo()
    for task in SCORED:
        alone = load_config(finished.folder / "single-task" / task / "config.yaml")
        separate = train(alone.model_copy(update={"output": tmp_path / task}))
        assert separate.records == read_json(finished.folder / "single-task" / task, "metrics.json")


def test_experts_read_each_file_once(tmp_path, tiny_model, monkeypatch):
    config = write_data(tmp_path, tiny_model)
    read = count_files(monkeypatch)
    table, plans, _ = plan_single_tasks(config, tmp_path, held_out=True)
    assert [list(plan.table.tasks) for plan in plans] == [[task] for task in SCORED]
    assert read == ["reviews.csv", "reviews.csv"]
    for plan in plans:
        assert plan.table.items(plan.task, "dev") == table.items(plan.task, "dev")


def write_untidy(folder):
    """A run file whose rows repeat, lack labels, spell classes in several ways, have two texts, and are limited."""
    draw = random.Random(0)
    rows = []
    for number in range(240):
        text = f"{draw.choice(['Fine', 'poor'])} film{' ' * draw.randint(1, 2)}{draw.randint(0, 99)}"
        score = draw.choice([None, -1.0, -0.5, 0.0, 0.25, 1.0])
        tone = draw.choice([None, "good", "Good ", "bad", "bad\u00a0", "so-so"])
        kinds = draw.choice([None, "plot|cast", "cast", "|", "plot"])
        about = {"title": f"title {draw.randint(0, 150)}", "writer": f"w{number % 40}" if number % 7 else None}
        rows.append({"text": text, "score": score, "tone": tone, "kinds": kinds, "spread": draw.random(), **about})
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    kept = [{"text": row["text"], "tone": row["tone"]} for row in rows[::3]]
    (folder / "others.jsonl").write_text("".join(json.dumps(row) + "\n" for row in kept), encoding="utf-8")
    about = {"group": "writer", "subsets": ["tone"], "disagreement": "spread", "limit": {"train": 100}}
    one = {"source": "one"}
    return {
        "sources": {
            "one": {"path": str(folder / "rows.jsonl"), **about},
            "other": {"path": str(folder / "others.jsonl")},
        },
        "tasks": {
            "cut": {**one, "kind": "classification", "label": "score", "from_score": {"classes": ["low", "high"]}},
            "kinds": {**one, "kind": "multilabel", "label": "kinds", "separator": "|"},
            "score": {**one, "kind": "regression", "label": "score", "text": "title"},
            "tone": {**one, "kind": "classification", "label": "tone"},
            "paired": {**one, "kind": "classification", "label": "tone", "pair": "title"},
            "other": {"source": "other", "kind": "classification", "label": "tone"},
        },
        "output": str(folder / "run"),
    }


def test_an_experts_table_is_the_one_of_its_own_run_file(tmp_path):
    config = make_config(write_untidy(tmp_path), tmp_path)
    table, plans, _ = plan_single_tasks(config, tmp_path, held_out=True)
    assert "merged because they repeat" in "".join(table.notes)
    assert "(limit)" in "".join(table.notes)
    for plan in plans:
        alone = load_table(plan.config)
        assert plan.table.tasks == alone.tasks
        for split, rows in alone.splits.items():
            assert plan.table.splits[split].features == rows.features
            assert plan.table.splits[split].to_dict() == rows.to_dict()
    for split, rows in load_table(config).splits.items():
        assert table.splits[split].to_dict() == rows.to_dict()


def test_the_base_model_is_not_asked_again_beside_every_task(tmp_path, tiny_model):
    config = write_data(tmp_path, tiny_model)
    rivals = config.evaluation.model_copy(update={"baselines": ("majority", "zero_shot", "few_shot")})
    config = config.model_copy(update={"evaluation": rivals})
    assert single_task(config, load_table(config), "polarity").evaluation.baselines == ("majority",)


def test_each_scored_task_has_a_run_of_its_own(finished):
    joint = load_config(finished.folder / "config.yaml")
    assert {path.name for path in (finished.folder / "single-task").iterdir()} == set(SCORED)
    for task in SCORED:
        folder = finished.folder / "single-task" / task
        assert (folder / "report.html").exists()
        assert (folder / "model").is_dir()
        config = load_config(folder / "config.yaml")
        assert list(config.tasks) == [task]
        assert config.balance.name == "equal"
        changed = {"epochs": joint.train.epochs, "max_steps": None}
        assert config.train.model_copy(update=changed) == joint.train


def test_a_task_alone_reads_its_rows_as_often_as_the_joint_run_does(finished):
    table = load_table(load_config(finished.folder / "config.yaml"))
    sources = table.splits["train"]["source"][:]
    sampler = MixedLengthSampler([1] * len(sources), sources, 16, 0.5, 0)
    reads = Counter()
    for epoch in range(2):
        sampler.set_epoch(epoch)
        reads.update(sources[row] for row in sampler)
    results = read_json(finished.folder, "single-task.json")["tasks"]
    assert results["towards"]["passes"] > 2 > results["polarity"]["passes"]
    for task, about in results.items():
        source = table.tasks[task].source
        assert about["passes"] == pytest.approx(reads[source] / sources.count(source))
        config = load_config(finished.folder / "single-task" / task / "config.yaml")
        assert config.train.epochs == about["passes"]
        assert about["steps"] == np.ceil(about["passes"] * np.ceil(sources.count(source) / 16))


def test_passes_count_the_steps_where_these_are_limited(finished):
    train_settings = load_config(finished.folder / "config.yaml").train
    sources = ["a"] * 48 + ["b"] * 48
    assert count_passes(train_settings, sources) == {"a": 2.0, "b": 2.0}
    limited = train_settings.model_copy(update={"max_steps": 3, "gradient_accumulation": 2})
    assert count_passes(limited, sources) == {"a": 1.0, "b": 1.0}


def test_metrics_and_tests_set_them_beside_the_joint_run(finished):
    table = load_table(load_config(finished.folder / "config.yaml"))
    alone = [record for record in finished.records if record["model"] == "single-task"]
    found = {task: [{**one, "model": "run"} for one in alone if one["task"] == task] for task in SCORED}
    results = read_json(finished.folder, "single-task.json")
    assert [test["task"] for test in results["tests"]] == list(SCORED)
    for test in results["tests"]:
        task = test["task"]
        folder = finished.folder / "single-task" / task
        assert found[task] == [one for one in read_json(folder, "metrics.json") if one["model"] == "run"]
        losses = []
        for place in (finished.folder, folder):
            with np.load(place / "predictions.npz") as arrays:
                losses.append(
                    item_losses(table.tasks[task], arrays[f"test/{task}"], arrays[f"test/{task}/gold"]),
                )
        difference = losses[0] - losses[1]
        assert test["difference"]["value"] == pytest.approx(difference.mean())
        assert test["p"] == sign_flip_test(difference[:, None])[0] <= test["p_holm"]
    for split in ("dev", "test"):
        records = [record for record in alone if record["split"] == split]
        assert results["run_score"][split] == run_score(records, table.tasks)


def test_the_report_shows_them(finished):
    page = Page((finished.folder / "report.html").read_text(encoding="utf-8"))
    assert page.tables[0][0][:4] == ["task", "metric", "this run", "single-task"]
    assert "Beside single-task models" in page.headings
    assert any("single-task" in label and "this run" in label for label in page.labels)
    rows = next(table for table in page.tables if table[0][-1] == "seconds")
    assert [row[0] for row in rows[1:]] == list(SCORED)


def test_resuming_repeats_nothing_and_needs_no_flag(finished):
    reports = [finished.folder / "single-task" / task / "report.html" for task in SCORED]
    before = [path.stat().st_mtime_ns for path in reports]
    for flag in (True, False):
        assert train(finished.folder / "config.yaml", resume=True, single_task=flag).records == finished.records
    assert [path.stat().st_mtime_ns for path in reports] == before


def test_a_stopped_call_goes_on_where_it_was(finished, tmp_path, tiny_model, monkeypatch):
    config = write_data(tmp_path, tiny_model)
    whole, alone = train_run.finish, []

    def finish(run, *rest):
        alone.append(run.config.output.name)
        if len(alone) == 3:
            raise KeyboardInterrupt
        whole(run, *rest)

    monkeypatch.setattr(train_run, "finish", finish)
    with pytest.raises(KeyboardInterrupt):
        train(config, single_task=True)
    again = train(config, resume=True, single_task=True)
    assert alone == ["run", "intensity", "polarity", "polarity", "towards"]
    assert again.records == finished.records


def test_they_can_be_added_to_a_finished_run_and_are_discarded_with_it(tmp_path, tiny_model):
    config = write_data(tmp_path, tiny_model, max_steps=2)
    plain = train(config)
    added = train(config, resume=True, single_task=True)
    assert [record for record in added.records if record["model"] != "single-task"] == plain.records
    train(config, overwrite=True)
    assert not (config.output / "single-task").exists()
    assert not (config.output / "single-task.json").exists()


def test_one_task_is_single_already(tmp_path, tiny_model):
    data = run_data(tmp_path, tiny_model)
    data["tasks"] = {"polarity": data["tasks"]["polarity"]}
    config = make_config(data)
    with pytest.raises(UsageError, match="--single-task: the run file has one task"):
        plan_single_tasks(config, config.output)


def test_several_processes_train_them_together(tmp_path, tiny_model):
    config = write_data(tmp_path, tiny_model, max_steps=3, batch_size=8)
    config = config.model_copy(update={"tasks": {task: config.tasks[task] for task in ("intensity", "towards")}})
    assert [process.exit_code for process in in_two_processes(train_beside, config)] == [0, 0]
    sources = load_table(config).splits["train"]["source"][:]
    results = read_json(config.output, "single-task.json")["tasks"]
    drawn = [results[task]["passes"] * sources.count(config.tasks[task].source) for task in ("intensity", "towards")]
    # Three steps of two processes with 8 rows each.
    assert sum(drawn) == pytest.approx(3 / np.ceil(len(sources) / 16) * len(sources))
    assert (config.output / "report.html").read_text(encoding="utf-8").count("Beside single-task models") == 1


def train_beside(config):
    train(config, single_task=True)


def test_the_command_trains_them_and_tells_progress_over_all(tmp_path, tiny_model, monkeypatch, capsys):
    config = write_data(tmp_path, tiny_model, max_steps=2)
    run_file = tmp_path / "run.yaml"
    run_file.write_text(dump_config(config), encoding="utf-8")
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    monkeypatch.setattr(sys, "argv", ["equipoise", "train", str(run_file), "--single-task"])
    with pytest.raises(SystemExit) as ended:
        main()
    output = capsys.readouterr()
    assert not ended.value.code
    assert "single-task models: 0." in output.out
    steps = [int(number) for number in re.findall(r"Training \d of 4 \([^)]*\): step (\d+) of", output.err)]
    assert steps == sorted(set(steps))
    assert "Training 3 of 4 (polarity alone): step " in output.err
    assert len(set(re.findall(r"Training .* of (\d+),", output.err))) == 1
