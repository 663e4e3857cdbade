"""Merging by statistics of experts' data, from a run file to the merged model."""

import json

import pytest
import torch
from typer.testing import CliRunner

from adapters import one, save_checkpoint, save_model
from corpus import run_data, write_data
from equipoise.cli import app
from equipoise.config import load_config
from equipoise.data import load_table
from equipoise.errors import UsageError
from equipoise.merging import (
    Base,
    RowSample,
    find_experts,
    fisher,
    input_grams,
    make_merge_operator,
    merge,
    read_vectors,
)
from equipoise.modeling import MultiTaskModel


@pytest.fixture
def folders(tmp_path, tiny_model):
    # They change different layers, and one has two tasks.
    save_model(tmp_path / "polarity", tiny_model, one(polarity="head"), 0, targets=["query", "value"])
    save_model(tmp_path / "both", tiny_model, one(polarity="head", intensity="head"), 1, targets=["query"])
    return [tmp_path / "polarity", tmp_path / "both"]


@pytest.fixture
def run_file(tmp_path, tiny_model):
    return write_data(tmp_path, run_data(tmp_path, tiny_model))


def statistics_by_hand(operator, base, folders, vectors, run_file):
    table = load_table(load_config(run_file))
    tensors = {tensor for vector in vectors.values() for tensor in vector}
    found = {}
    for folder in folders:
        with base.changed(vectors[folder.name]):
            model = MultiTaskModel.from_pretrained(folder, on=(base.backbone, base.tokenizer))
            collect = input_grams if operator == "regmean" else fisher
            own = [
                collect(
                    base,
                    model,
                    task,
                    table.splits["train"].select(table.rows(task, "train")),
                    tensors=tensors,
                    sample=RowSample(6, seed=3),
                )
                for task in model.tasks
            ]
        # Both tasks have as many rows.
        whole = {name: sum(one[name] for one in own) for name in own[0]}
        found[folder.name] = whole if operator == "regmean" else {name: whole[name] / len(own) for name in whole}
    return found


@pytest.mark.parametrize("operator", ["regmean", "fisher"])
def test_folders_are_merged_by_statistics_of_a_run_files_data(tmp_path, tiny_model, folders, run_file, operator):
    made = merge(folders, tmp_path / "out", operator, data=run_file, data_rows=6, seed=3)
    assert made.rows == {"polarity": {"polarity": 6}, "both": {"polarity": 6, "intensity": 6}}
    assert json.loads((tmp_path / "out" / "merge.json").read_text())["rows"] == made.rows

    base = Base.load(str(tiny_model), language_model=False)
    vectors = {name: vector.tensors for name, vector in read_vectors(find_experts(folders), base).items()}
    assert vectors["polarity"].keys() > vectors["both"].keys()
    known = statistics_by_hand(operator, base, folders, vectors, run_file)
    expected = dict(make_merge_operator(operator).merge(vectors, dict.fromkeys(vectors, 1.0), base.tensors, known))
    average = dict(make_merge_operator("linear").merge(vectors, dict.fromkeys(vectors, 1.0), base.tensors))
    written = dict(MultiTaskModel.from_pretrained(tmp_path / "out").backbone.named_parameters())
    for name, vector in expected.items():
        torch.testing.assert_close(written[name].detach() - base.tensors[name], vector, rtol=1e-4, atol=1e-6)
        assert not torch.allclose(vector, average[name], rtol=1e-2, atol=1e-6)


@pytest.mark.parametrize("operator", ["regmean", "fisher"])
def test_the_command_reads_the_data(tmp_path, folders, run_file, operator):
    arguments = ["merge", *map(str, folders), "-o", str(tmp_path / "out"), "--operator", operator]
    result = CliRunner().invoke(app, [*arguments, "--data", str(run_file), "--data-rows", "2"])
    assert result.exit_code == 0, result.output
    answer = CliRunner().invoke(app, ["predict", str(tmp_path / "out"), "so good"])
    assert {"intensity", "polarity@polarity", "polarity@both"} <= set(json.loads(answer.output))


def test_an_expert_without_a_weight_is_not_read(tmp_path, folders, run_file):
    weights = {"polarity": 1.0, "both": 0.0}
    made = merge(folders, tmp_path / "out", "fisher", data=run_file, data_rows=2, weights=weights)
    assert made.rows == {"polarity": {"polarity": 2}}


def without_intensity(data):
    del data["tasks"]["intensity"]


def of_another_kind(data):
    data["tasks"]["intensity"] = {**data["tasks"]["polarity"]}


def with_a_pair(data):
    data["tasks"]["intensity"]["pair"] = "aspect"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without_intensity, "has no task 'intensity', which expert 'both' was trained for"),
        (of_another_kind, "tasks.intensity.kind: found classification, expected regression, as in expert 'both'"),
        (with_a_pair, "tasks.intensity.pair: found 'aspect', expected none, as in expert 'both'"),
    ],
)
def test_data_that_is_not_of_the_experts_tasks_is_refused(tmp_path, tiny_model, folders, change, message):
    data = run_data(tmp_path, tiny_model)
    change(data)
    with pytest.raises(UsageError, match=message):
        merge(folders, tmp_path / "out", "regmean", data=write_data(tmp_path, data))
    assert not (tmp_path / "out").exists()


def test_what_needs_no_data_and_what_has_no_task_is_refused(tmp_path, tiny_model, folders, run_file):
    with pytest.raises(UsageError, match="'ties' needs no data"):
        merge(folders, tmp_path / "out", "ties", data=run_file)
    with pytest.raises(UsageError, match="give the run file with that data"):
        merge(folders, tmp_path / "out", "fisher")
    with pytest.raises(UsageError, match="--data-rows: found 0, expected 1 or more"):
        merge(folders, tmp_path / "out", "fisher", data=run_file, data_rows=0)
    save_checkpoint(tmp_path / "whole", tiny_model)
    with pytest.raises(UsageError, match="whole: found a checkpoint, whose files say nothing of its task"):
        merge([folders[0], tmp_path / "whole"], tmp_path / "out", "fisher", data=run_file)


def test_the_data_is_never_replaced(tmp_path, folders, run_file):
    with pytest.raises(Exception, match="reviews"):
        merge(folders, tmp_path / "reviews.csv", "fisher", data=run_file)
