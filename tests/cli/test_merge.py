import json
import shutil

import pytest
from typer.testing import CliRunner

from adapters import save_two
from corpus import run_data, write_data
from equipoise.cli import app
from equipoise.errors import UsageError


@pytest.fixture
def experts(tmp_path, tiny_model):
    save_two(tmp_path, tiny_model, rank=2, targets=["query"])
    return tmp_path


def _run(folder, *arguments):
    folders = [str(folder / name) for name in ("polarity", "intensity")]
    return CliRunner().invoke(app, ["merge", *folders, "-o", str(folder / "out"), *arguments])


def test_it_merges_as_told(experts):
    result = _run(experts, "--operator", "task_arithmetic", "--weights", "polarity=0.6, intensity=-0.4")
    assert result.exit_code == 0, result.output
    assert "Adapter of rank 4" in result.output
    made = json.loads((experts / "out" / "merge.json").read_text())
    assert made["weights"] == {"polarity": 0.6, "intensity": -0.4}
    assert made["form"] == "adapter"
    # Two factors in each of two layers; a head has four tensors.
    counts = "4 tensors of polarity, 4 of intensity"
    assert f"merged: {counts}\nkept: {counts}\n" in result.output
    assert len(made["tensors"]["polarity"]["merged"]) == 4
    assert all(place.startswith("tasks/intensity/") for place in made["tensors"]["intensity"]["kept"].values())
    answer = CliRunner().invoke(app, ["predict", str(experts / "out"), "so good"])
    assert set(json.loads(answer.output)) == {"text", "polarity", "intensity"}


def test_another_base_than_the_files_name_is_said(experts, tiny_model):
    moved = experts / "moved"
    shutil.copytree(tiny_model, moved)
    result = _run(experts, "--base", str(moved))
    assert result.exit_code == 0, result.output
    said = " ".join(result.output.split())
    assert "polarity: its files name the base" in said
    assert "its files name the base" not in _run(experts, "--overwrite").output


def test_options_reach_the_operator(experts):
    assert _run(experts, "--operator", "ties", "--option", "density=0.5", "--option", "trim=tensor").exit_code == 0
    assert json.loads((experts / "out" / "merge.json").read_text())["options"] == {"density": 0.5, "trim": "tensor"}
    assert "found a model there" in str(_run(experts).exception)
    assert _run(experts, "--overwrite", "--rank", "1").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--weights", "polarity"], "--weights: found 'polarity', expected NAME=VALUE"),
        (["--weights", "polarity=much,intensity=1"], "--weights: found 'much' for polarity, expected a number"),
        (["--weights", "polarity=1"], "there is no weight for 'intensity'"),
        (["--option", "density"], "--option: found 'density', expected NAME=VALUE"),
        (["--operator", "tie"], "there is no operator 'tie'. Did you mean 'ties'?"),
        (["--operator", "ties", "--option", "denity=1"], "'ties' has no option 'denity'. Did you mean 'density'?"),
        (["--operator", "ties", "--option", "density=high"], "density"),
        (["--operator", "regmean"], "needs the statistics 'inputs' of each expert's data; give the run file"),
        (["--base", "nowhere/at-all"], "cannot be loaded"),
    ],
)
def test_mistakes(experts, arguments, message):
    result = _run(experts, *arguments)
    assert message in str(result.exception)
    assert not (experts / "out").exists()


def test_the_former_name_of_an_option_still_works(experts):
    assert _run(experts, "--modules", "error").exit_code == 0


@pytest.mark.parametrize("command", ["search", "merge"])
def test_a_run_file_is_searched(tmp_path, tiny_model, command):
    data = run_data(tmp_path, tiny_model, epochs=1, evaluations=1)
    data["merge"] = {"candidates": 10, "stages": ["one"], "baselines": ["uniform"], "joint": False}
    run_file = write_data(tmp_path, data)
    result = CliRunner().invoke(app, [command, str(run_file), "--set", "merge.weak.rows=8"])
    assert result.exit_code == 0, result.output
    assert all(name in result.output for name in ("evolved:one", "uniform", "intensity", "run/merge/merge.html"))
    note = f"note: `equipoise merge {run_file}` is now `equipoise search {run_file}`.\n"
    assert (note in result.stderr) == (command == "merge")
    assert json.loads((tmp_path / "run" / "merge" / "merge.json").read_text())["best"] == "one"
    answer = CliRunner().invoke(app, ["predict", str(tmp_path / "run" / "merge"), "so good", "--pair", "film"])
    assert set(json.loads(answer.output)) == {"text", "pair", "intensity", "polarity", "towards"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run.yaml", "-o", "out"], "If it is a run file, `equipoise search run.yaml` merges its experts"),
        (["run.yaml", "--operator", "ties", "--seed", "1"], "merge: run.yaml is not a folder"),
        (["nowhere.yaml"], "nowhere.yaml"),
        (["one", "two"], "--output: found none, expected the folder to write"),
        (["one", "two", "-o", "out", "--set", "a=1"], "--set goes with a run file, found folders"),
    ],
)
def test_a_run_file_and_folders_have_options_of_their_own(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    result = CliRunner().invoke(app, ["merge", *arguments])
    assert message in str(result.exception)
    assert isinstance(result.exception, UsageError)
