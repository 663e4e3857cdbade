"""Training under a curriculum: what is met is what was planned, and a resumed run meets the same."""

import json
import signal

import numpy as np
import pytest

from corpus import asked_data, run_data, write_corpus, write_data
from equipoise.config import load_config
from equipoise.curriculum import CurriculumSampler
from equipoise.data import load_table
from equipoise.errors import TrainingError, UsageError
from equipoise.training import fitting, train
from equipoise.training.curriculum_file import make_curriculum, read_curriculum
from outcomes import assert_same
from pages import Page
from strike import strike


def steps_of(folder):
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [line for line in lines if "loss" in line]


def write(folder, model, schedule, by="metadata", curriculum=(), **options):
    data = run_data(folder, model, **options)
    return write_data(folder, {**data, "curriculum": {"by": by, "schedule": schedule, **dict(curriculum)}})


@pytest.mark.parametrize(
    ("schedule", "by", "accumulation"),
    [("competence", "pvi", 1), ("anti", "metadata", 2), ("mixed", "dynamics", 1), ("sequential", "pvi", 2)],
)
def test_the_observed_order_is_the_planned_one(tmp_path, tiny_model, monkeypatch, schedule, by, accumulation):
    planned = {}

    def keep(*arguments, **options):
        planned["sampler"] = CurriculumSampler(*arguments, **options)
        return planned["sampler"]

    monkeypatch.setattr(fitting, "CurriculumSampler", keep)
    path = write(tmp_path, tiny_model, schedule, by, gradient_accumulation=accumulation, evaluations=1, mixing=1.0)
    folder = train(path).folder
    config = load_config(path)
    table, measured = load_table(config), read_curriculum(folder)
    curriculum = make_curriculum(config, table, measured)
    order = []
    for epoch in range(2):
        planned["sampler"].set_epoch(epoch)
        order.append(list(planned["sampler"]))
    rows, (size,) = 16 * accumulation, {len(epoch) for epoch in order}
    steps = [epoch[start : start + rows] for epoch in order for start in range(0, size, rows)]
    observed = steps_of(folder)
    assert len(observed) == len(steps)
    places = {name: {row: place for place, row in enumerate(table.rows(name, "train"))} for name in table.tasks}
    for number, (line, drawn) in enumerate(zip(observed, steps, strict=True)):
        stage = curriculum.stage(number)
        values, learnt = [], set()
        for name in stage.tasks:
            own = np.array(measured.difficulty[name])
            for row in drawn:
                if row in places[name]:
                    learnt.add(name)
                    value = own[places[name][row]]
                    rank = ((own < value).sum() + (own <= value).sum()) / 2 / len(own)
                    values.append((measured.order.index(name) + 0.5) / 3 if curriculum.staged else rank)
        assert line["losses"].keys() == learnt
        assert line["curriculum"]["difficulty"] == pytest.approx(np.mean(values))
        if curriculum.staged:
            assert line["curriculum"]["stage"] == stage.number
        else:
            assert line["curriculum"]["share"] == stage.share
    page = Page((folder / "report.html").read_text(encoding="utf-8"))
    label, *_ = [label for label in page.labels if label.startswith("Line chart of the difficulty met")]
    assert ("3 stages, one from step" if curriculum.staged else "share of the examples drawn from") in label
    assert "Difficulty met" in page.headings


def test_without_a_curriculum_nothing_is_measured(tmp_path, tiny_model):
    folder = train(write(tmp_path, tiny_model, "none", by="pvi", max_steps=2, evaluations=1)).folder
    assert not (folder / "curriculum.json").exists()
    assert "curriculum" not in steps_of(folder)[0]
    assert json.loads((folder / "summary.json").read_text())["difficulty_seconds"] == 0
    assert "Difficulty met" not in Page((folder / "report.html").read_text(encoding="utf-8")).headings


@pytest.mark.parametrize(
    ("schedule", "by", "step"), [("competence", "dynamics", 14), ("mixed", "pvi", 18), ("sequential", "metadata", 25)]
)
def test_killed_in_a_stage_and_resumed_is_the_same(tmp_path, tiny_model, schedule, by, step):
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    train(write(tmp_path / "whole", tiny_model, schedule, by))
    path = write(tmp_path / "killed", tiny_model, schedule, by)
    assert strike(path, step, signal.SIGKILL).exit_code == -signal.SIGKILL
    # The checkpoint is from step 11 or 22, inside an epoch and a stage.
    train(path, resume=True)
    assert_same(tmp_path / "whole" / "run", tmp_path / "killed" / "run")


def test_a_damaged_file_of_difficulty_is_named(tmp_path, tiny_model):
    path = write(tmp_path, tiny_model, "competence")
    assert strike(path, 14, signal.SIGKILL).exit_code == -signal.SIGKILL
    (tmp_path / "run" / "curriculum.json").write_text("{")
    with pytest.raises(TrainingError, match=r"curriculum.json: cannot be read .*; start from scratch with --overwrite"):
        train(path, resume=True)


def test_texts_to_write_are_ordered_by_meta_data(tmp_path, tiny_llm):
    write_corpus(tmp_path, 60)
    data = asked_data(tmp_path, tiny_llm, max_steps=3, evaluations=1)
    data["curriculum"] = {"by": "pvi", "schedule": "competence"}
    folder = train(write_data(tmp_path, data)).folder
    (note,) = [note for note in json.loads((folder / "data.json").read_text())["notes"] if "meta data only" in note]
    assert note.startswith("Task 'title' is measured by meta data only")
    measured = read_curriculum(folder)
    assert all(0 <= value <= 1 for value in measured.difficulty["title"])
    assert min(measured.difficulty["tone"]) < 0
    assert all(0 < line["curriculum"]["difficulty"] < 1 for line in steps_of(folder))


@pytest.mark.parametrize("schedule", ["mixed", "sequential"])
def test_stages_need_two_tasks(tmp_path, tiny_model, schedule):
    data = run_data(tmp_path, tiny_model)
    data["tasks"] = {"polarity": data["tasks"]["polarity"]}
    path = write_data(tmp_path, {**data, "curriculum": {"schedule": schedule}})
    message = f"curriculum: 'schedule' is '{schedule}', which orders tasks, but there is one task; order its examples"
    with pytest.raises(UsageError, match=message):
        load_config(path)


def test_single_tasks_keep_the_order_of_examples_and_have_no_stages(tmp_path, tiny_model):
    for schedule, expected in (("competence", "competence"), ("mixed", "none")):
        (tmp_path / schedule).mkdir()
        data = run_data(tmp_path / schedule, tiny_model, max_steps=2, evaluations=1)
        del data["tasks"]["towards"]
        path = write_data(tmp_path / schedule, {**data, "curriculum": {"schedule": schedule}})
        folder = train(path, single_task=True).folder
        alone = load_config(folder / "single-task" / "polarity" / "config.yaml")
        assert alone.curriculum.schedule == expected


@pytest.mark.parametrize(
    ("key", "value", "hint"),
    [
        ("by", "pvy", "Did you mean 'pvi'"),
        ("by", "meta_data", "Did you mean 'metadata'"),
        ("schedule", "compentence", "Did you mean 'competence'"),
        ("schedule", "fast", "expected 'none', 'competence', 'anti', 'mixed' or 'sequential'"),
        ("start", 0, "expected greater than 0"),
        ("full", 1.5, "expected less than or equal to 1"),
        ("begin", 0.5, "unknown key"),
    ],
)
def test_what_does_not_exist_is_answered(tmp_path, tiny_model, key, value, hint):
    path = write_data(tmp_path, {**run_data(tmp_path, tiny_model), "curriculum": {key: value}})
    with pytest.raises(UsageError, match=f"curriculum.{key}: .*{hint}"):
        load_config(path)


@pytest.mark.parametrize("by", ["pvi", "dynamics"])
def test_a_backbone_from_scratch_has_no_features_yet(tmp_path, by):
    path = write(tmp_path, "bilstm", "competence", by)
    with pytest.raises(
        UsageError, match=f"curriculum.by: found {by}, .* bilstm starts from nothing; take by: metadata"
    ):
        train(path)
    assert not (tmp_path / "run").exists()
