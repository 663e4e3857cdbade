"""A merge from the run file to the table: what is computed, what is repeated, what is refused."""

import json
import multiprocessing
import os
import shutil
import signal
import time
from contextlib import suppress

import numpy as np
import optuna
import pytest
import torch

import equipoise
from children import run_together
from equipoise.config import load_config, make_config
from equipoise.data import load_table
from equipoise.errors import DataError, EquipoiseWarning, OutputError, TrainingError, UsageError
from equipoise.evaluation import evaluate
from equipoise.evolution import Recipe, baselines, evolve, searching
from equipoise.evolution import search_run as running
from equipoise.evolution.folder import MergeFolder
from equipoise.evolution.recipes import Space
from equipoise.studies import open_storage
from equipoise.training import read_run

TASKS = ("towards", "words", "intensity")


def read_json(path):
    return json.loads(path.read_text(encoding="utf-8"))


def cells_of(evolved):
    """Finished cells without the time they took."""
    return {name: {**cell, "seconds": None} for name, cell in MergeFolder(evolved.folder).cells.items()}


def copy_of(evolved, folder):
    """A copy of a finished merge, with its experts and joint model, and its run file."""
    shutil.copytree(evolved.folder.parent, folder / "run")
    for locks in (folder / "run").rglob(".locks"):
        shutil.rmtree(locks)
    config = load_config(evolved.folder / "config.yaml")
    return config.model_copy(update={"output": folder / "run"})


def rows_of(evolved):
    return {row["name"]: row for row in evolved.results["rows"]}


def test_every_row_is_there_and_scored_on_every_task(merged):
    rows = rows_of(merged)
    assert list(rows) == [
        "base",
        "experts",
        "joint",
        "uniform",
        "task_arithmetic",
        "ties",
        "evolved:one",
        "evolved:two",
    ]
    for row in rows.values():
        assert set(row["metrics"]["test"]) == set(row["metrics"]["dev"]) == set(TASKS)
        values = [max(0, one["value"]) for one in row["metrics"]["test"].values()]
        assert row["run_score"]["test"] == pytest.approx(np.mean(values))
    assert (
        "Row 'peft_linear' is left out: peft merges LoRA adapters only, and some experts are none."
        in (merged.results["notes"])
    )
    assert merged.results["kept"]["experts"] == pytest.approx(1)


def test_experts_and_joint_model_are_what_their_runs_found(merged):
    rows, output = rows_of(merged), merged.folder.parent
    for task in TASKS:
        (own,) = [
            line
            for line in read_run(output / "experts" / task).records
            if line["model"] == "run" and line["split"] == "test" and line["metric"] in ("macro_f1", "pearson")
            if line["subset"] == "all"
        ]
        assert rows["experts"]["metrics"]["test"][task]["value"] == own["value"]
    assert rows["joint"]["run_score"]["test"] == pytest.approx(read_run(output).run_score)


def test_the_model_is_the_row_that_dev_chose(merged):
    rows = rows_of(merged)
    evolved = {name: row["run_score"]["dev"] for name, row in rows.items() if name.startswith("evolved:")}
    assert evolved[f"evolved:{merged.results['best']}"] == max(evolved.values())
    config = load_config(merged.folder / "config.yaml")
    records = evaluate(merged.folder / "model", config.model_copy(update={"held_out": {}}))
    for task, one in rows[f"evolved:{merged.results['best']}"]["metrics"]["test"].items():
        (found,) = [
            line
            for line in records
            if (line["task"], line["metric"], line["subset"], line["model"]) == (task, one["metric"], "all", "run")
        ]
        assert found["value"] == pytest.approx(one["value"])


def test_stages_are_within_groups_then_across(merged):
    searches = merged.results["searches"]
    assert {name: search["members"] for name, search in searches.items()} == {
        "one/all": {task: [task] for task in TASKS},
        "two/whole": {"words": ["words"], "intensity": ["intensity"]},
        "two/groups": {"words": ["towards"], "whole": ["words", "intensity"]},
    }
    assert [len(search["candidates"]) for search in searches.values()] == [20, 10, 10]
    for search in searches.values():
        starts = [one for one in search["candidates"] if one["start"]]
        assert [one["start"] for one in starts] == ["uniform", "own", "MetaGPT"]
        assert list(starts[0]["numbers"].values()) == [1 / len(search["members"])] * len(search["members"])
        assert set(starts[1]["numbers"].values()) == {0.4}
        assert sum(starts[2]["numbers"].values()) == pytest.approx(1)  # MetaGPT's shares
        assert search["dev"] == max(search["finalists"].values())
        assert search["chosen"] in [int(number) for number in search["finalists"]]
        assert {len(one["tasks"]) for one in search["candidates"]} == {sum(map(len, search["members"].values()))}
        # Two folds are not enough to tell candidates apart: a pruned one has run more.
        assert all(4 <= one["folds"] <= 6 for one in search["candidates"])


def test_two_stages_are_the_recipes_one_after_the_other(merged):
    config = load_config(merged.folder / "config.yaml")
    table = load_table(config)
    searches = merged.results["searches"]
    (inside,) = Recipe(**searches["two/whole"]["recipe"]).weights
    (across,) = Recipe(**searches["two/groups"]["recipe"]).weights
    weights = {
        "towards": across["words"],
        **{task: across["whole"] * inside[task] for task in ("words", "intensity")},
    }
    bench = running.Workbench(config, table, [merged.folder.parent / "experts" / task for task in TASKS])
    vector = Recipe("task_arithmetic", {}, (weights,)).merge(bench.task_vectors, bench.tensors, bench.linear)
    row = np.load(merged.folder / "predictions" / "evolved:two" / "predictions.npz")
    train = {task: table.rows(task, "train") for task in TASKS}
    with bench.applied(vector), bench.refitted(train, by_dev=True):
        found = bench.predict_split("test", TASKS)
    for task, predictions in found.items():
        np.testing.assert_allclose(predictions, row[f"test/{task}"], atol=1e-4)


def test_dev_chooses_the_coefficient_of_task_arithmetic(merged):
    row = rows_of(merged)["task_arithmetic"]
    chosen = [0.3, 1.0][row["tried"].index(max(row["tried"]))]
    assert set(row["recipe"]["weights"][0].values()) == {chosen}


def test_the_base_and_weak_rows_are_left_as_they_were(merged):
    weak = merged.results["tasks"]
    assert {task: one["weak"]["rows"] for task, one in weak.items()} == dict.fromkeys(TASKS, 12)
    assert all(0 < one["weak"]["weak"] <= 6 and 0 <= one["weak"]["suspected"] <= 1 for one in weak.values())
    assert set(merged.results["heat_map"]) == set(TASKS)


def test_called_again_it_repeats_nothing(merged, tmp_path, monkeypatch):
    config = copy_of(merged, tmp_path)
    monkeypatch.setattr(MergeFolder, "_add", None)
    again = evolve(config)
    assert again.results["rows"] == merged.results["rows"]
    assert (tmp_path / "run" / "merge" / "merge.html").exists()


def test_stopped_anywhere_it_goes_on_to_the_same_end(merged, tmp_path, monkeypatch):
    config = copy_of(merged, tmp_path)
    folder = config.output / "merge"
    for name in ("merge.html", "merge.json", "searches.log", "merge.jsonl"):
        (folder / name).unlink()
    shutil.rmtree(folder / "predictions")
    shutil.rmtree(folder / "model")
    # Ctrl-C twice between cells, and in the middle of a search.
    add, count = MergeFolder._add, {"cells": 0, "races": 0}
    score_by_folds = searching.score_by_folds

    def stopping(self, name, compute):
        count["cells"] += 1
        if count["cells"] in (2, 9):
            raise KeyboardInterrupt
        add(self, name, compute)

    def tiring(*arguments):
        count["races"] += 1
        if count["races"] == 5:
            raise KeyboardInterrupt
        return score_by_folds(*arguments)

    monkeypatch.setattr(MergeFolder, "_add", stopping)
    monkeypatch.setattr(searching, "score_by_folds", tiring)
    found = None
    for _ in range(20):
        with suppress(TrainingError):
            found = evolve(config)
            break
    assert count["cells"] > 12
    before, after = cells_of(merged), cells_of(found)
    assert before.keys() == after.keys()
    for name, cell in before.items():
        if name.startswith("row:"):
            assert after[name]["metrics"] == cell["metrics"] if "metrics" in cell else "left_out" in after[name]
        elif name.startswith("search:"):
            assert {**after[name], "seconds_searched": None} == {**cell, "seconds_searched": None}


def test_a_folder_of_an_earlier_version_continues(merged, tmp_path):
    """Its run file, its journal and its candidates have former names."""
    config = copy_of(merged, tmp_path)
    folder = config.output / "merge"
    before, key, rest = (folder / "config.yaml").read_text().partition("\nmerge:\n")
    assert "  baselines:\n" in rest
    (folder / "config.yaml").write_text(before + key + rest.replace("  baselines:\n", "  rivals:\n", 1))
    lines = (folder / "merge.jsonl").read_text().replace('"folds"', '"heats"').splitlines()
    # A search with all its candidates is still to be finished, and a row to be scored.
    left = [line for line in lines if not line.startswith(('{"cell": "search:one/all"', '{"cell": "row:ties"'))]
    assert len(left) == len(lines) - 2
    (folder / "merge.jsonl").write_text("".join(f"{line}\n" for line in left))
    log = folder / "searches.log"
    log.write_text(log.read_text().replace('"folds"', '"heats"'))
    candidates = log.read_text().count('"heats"')
    (folder / "merge.html").unlink()
    with pytest.warns(EquipoiseWarning, match=r"'merge.rivals' is now 'merge.baselines'"):
        found = evolve(config)
    assert log.read_text().count('"heats"') == candidates
    assert '"folds"' not in log.read_text()
    assert found.results["rows"] == merged.results["rows"]
    assert found.results["searches"]["one/all"]["finalists"] == merged.results["searches"]["one/all"]["finalists"]
    assert (folder / "merge.html").exists()


def work(config):
    evolve(config)


def test_two_processes_share_the_work_and_one_may_be_killed(merged, tmp_path):
    config = copy_of(merged, tmp_path)
    folder = config.output / "merge"
    for name in ("merge.html", "merge.json", "searches.log", "merge.jsonl"):
        (folder / name).unlink()
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=work, args=(config,)) for _ in range(2)]
    for process in processes:
        process.start()
    for _ in range(600):
        if (folder / "searches.log").exists() and (folder / "searches.log").read_text().count("worker") > 6:
            break
        time.sleep(0.1)
    os.kill(processes[0].pid, signal.SIGKILL)
    for process in processes:
        process.join(120)
    assert processes[1].exitcode == 0
    results = read_json(folder / "merge.json")
    assert [len(search["candidates"]) for search in results["searches"].values()] == [20, 10, 10]
    lines = [json.loads(line)["cell"] for line in (folder / "merge.jsonl").read_text().splitlines()]
    assert len(lines) == len(set(lines))


def test_two_processes_that_share_a_database_alone(merged, tmp_path):
    """Each with a folder, experts and a joint model of its own, as on two machines."""
    url = f"sqlite:///{tmp_path}/search.db"
    configs = []
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        config = copy_of(merged, tmp_path / name)
        shutil.rmtree(config.output / "merge")
        settings = config.merge.model_copy(update={"storage": url, "stages": ("one",), "baselines": ("uniform",)})
        configs.append(config.model_copy(update={"merge": settings}))
    assert run_together(multiprocessing.get_context("spawn"), work, [(config,) for config in configs]) == [0, 0]
    here, there = (read_json(config.output / "merge" / "merge.json") for config in configs)
    (search,), (other,) = here["searches"].values(), there["searches"].values()
    assert len(search["candidates"]) == 20
    for key in ("candidates", "finalists", "recipe", "dev"):
        assert search[key] == other[key]
    metrics = [{row["name"]: row["metrics"] for row in results["rows"]} for results in (here, there)]
    assert metrics[0] == metrics[1]
    storage = open_storage(url, "merge.storage")
    (study,) = optuna.get_all_study_names(storage)
    trials = optuna.load_study(study_name=study, storage=storage).trials
    # Where both open the study at the same moment, a start may be put in twice, and one of them is given up.
    trials = [trial for trial in trials if trial.state is not optuna.trial.TrialState.FAIL]
    assert len(trials) == 20
    assert len({trial.user_attrs["worker"]["process"] for trial in trials}) == 2


def test_language_models_are_asked_and_shown_examples(asked):
    rows = rows_of(asked)
    # The evolved model that its search's dev prefers.
    searches = asked.results["searches"]
    shown = "one" if searches["one/all"]["dev"] >= searches["two/groups"]["dev"] else "two"
    evolved = ["evolved:one", "evolved:two"]
    evolved.insert(evolved.index(f"evolved:{shown}") + 1, f"evolved:{shown} + demonstrations")
    assert list(rows) == [
        "base",
        "base + demonstrations",
        "experts",
        "joint",
        "uniform",
        "task_arithmetic",
        "ties",
        "peft_linear",
        *evolved,
    ]
    assert set(rows["evolved:two"]["metrics"]["test"]) == {"tone", "strength", "title"}
    answer = equipoise.load(asked.folder).predict("good film")
    assert set(answer[0]) >= {"tone", "strength", "title"}


def test_tasks_can_be_objectives_of_their_own(merged, tmp_path):
    config = copy_of(merged, tmp_path)
    shutil.rmtree(config.output / "merge")
    settings = config.merge.model_copy(
        update={
            "objectives": "tasks",
            "stages": ("one",),
            "baselines": (),
            "joint": False,
            "coefficients": "block",
            "blocks": 2,
        }
    )
    found = evolve(config.model_copy(update={"merge": settings}))
    (search,) = found.results["searches"].values()
    assert len(search["recipe"]["weights"]) == 2
    assert len(search["candidates"][0]["numbers"]) == 6
    assert list(rows_of(found)) == ["base", "experts", "evolved:one"]
    assert found.results["objectives"] == "tasks"


def test_baselines_that_read_data(merged, tmp_path, monkeypatch):
    config = copy_of(merged, tmp_path)
    shutil.rmtree(config.output / "merge")
    monkeypatch.setattr(baselines, "ADAMERGING_STEPS", 2)
    settings = config.merge.model_copy(
        update={"stages": ("one",), "baselines": ("regmean", "fisher", "adamerging"), "joint": False}
    )
    found = evolve(config.model_copy(update={"merge": settings}))
    assert list(rows_of(found)) == ["base", "experts", "regmean", "fisher", "adamerging", "evolved:one"]
    assert any("tasks without a distribution have no say: intensity" in note for note in found.results["notes"])


def test_other_settings_or_data_are_refused_and_can_be_begun_anew(merged, tmp_path):
    config = copy_of(merged, tmp_path)
    other = config.merge.model_copy(update={"candidates": 21})
    changed = config.model_copy(update={"merge": other})
    with pytest.raises(TrainingError, match=r"merge\.candidates: 20 there, 21 now\); continue it unchanged"):
        evolve(changed)
    data = read_json(config.output / "merge" / "data.json")
    (config.output / "merge" / "data.json").write_text(json.dumps({**data, "fingerprint": "other"}))
    with pytest.raises(TrainingError, match="the data changed since the merge was started"):
        evolve(config)
    found = evolve(changed, overwrite=True)
    assert len(found.results["searches"]["one/all"]["candidates"]) == 21
    assert (config.output / "experts" / "words" / "report.html").exists()


def test_a_folder_that_is_no_merge_is_left_alone(merged, tmp_path):
    config = copy_of(merged, tmp_path)
    shutil.rmtree(config.output / "merge")
    (config.output / "merge").mkdir()
    (config.output / "merge" / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputError, match=r"holds other files \(thesis\.txt\)"):
        evolve(config, overwrite=True)
    assert (config.output / "merge" / "thesis.txt").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"merge": {"candidates": 15}}, r"merge\.candidates: found 15, expected 18 or more for the row 'two'"),
        ({"merge": {"candidates": 8, "stages": ["one"]}}, r"found 8, expected 10 or more for the row 'one'.*one/all"),
        ({"merge": {"operator": "slerp"}}, "'slerp' merges 2 experts at most, found 3"),
        ({"merge": {"operator": "tie"}}, "there is no operator 'tie'. Did you mean 'ties'"),
        ({"merge": {"operator": "regmean"}}, "'regmean' needs figures of each expert's data"),
        (
            {"merge": {"operator": "linear", "range": [-1, 1]}},
            r"merge\.range: found \[-1\.0, 1\.0\], expected 0 or more",
        ),
        ({"merge": {"operator": "ties", "options": {"density": [0, 2]}}}, "density"),
        ({"merge": {"options": {"density": [0.1, 1]}}}, "'task_arithmetic' has no option 'density'"),
        ({"merge": {"storage": "postgres://nowhere/x"}}, r"merge\.storage: 'postgres://nowhere/x' cannot be reached"),
        ({"group": {"words": None}}, r"tasks\.words\.group: found none.*others: whole,words"),
        ({"group": {"towards": "whole"}}, "found all 3 tasks in one, expected two groups or more"),
        ({"group": {"words": "other"}}, "found each task in a group of its own"),
        ({"model": "bilstm"}, "model: found bilstm, which starts from nothing"),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_trained(tmp_path, tiny_model, write_modules, change, message):
    data = write_modules(tmp_path, tiny_model, **change.get("merge", {}))
    for task, group in change.get("group", {}).items():
        data["tasks"][task]["group"] = group
    data["model"] = change.get("model", data["model"])
    with pytest.raises((UsageError, TrainingError), match=message):
        evolve(make_config(data))
    assert not (tmp_path / "run").exists()


def test_experts_that_err_nowhere_leave_no_weak_data(merged, tmp_path, monkeypatch):
    config = copy_of(merged, tmp_path)
    shutil.rmtree(config.output / "merge")

    def sure(self, split, wanted, **_):
        gold = {task: self.table.labels(task, split) for task in wanted}
        return {task: np.eye(3)[labels] if task == "towards" else labels * 1.0 for task, labels in gold.items()}

    monkeypatch.setattr(running.Workbench, "predict", sure)
    with pytest.raises(DataError, match=r"task '\w+': found no weak data"):
        evolve(config)
    assert "weak" not in MergeFolder(config.output / "merge").cells


def test_a_search_on_texts_of_test_is_refused(merged, tmp_path, monkeypatch):
    config = copy_of(merged, tmp_path)
    shutil.rmtree(config.output / "merge")
    load = running.load_table

    def leaky(config):
        table = load(config)
        table.splits["test"] = table.splits["train"]
        return table

    monkeypatch.setattr(running, "load_table", leaky)
    with pytest.raises(DataError, match="stands in test, too; a merge is searched on train"):
        evolve(config)


def test_options_that_are_searched_count(merged, tmp_path, monkeypatch):
    config = copy_of(merged, tmp_path)
    shutil.rmtree(config.output / "merge")
    merge = config.merge.model_dump() | {
        "operator": "optmerge",
        "options": {"time": (1.0, 500.0)},
        "stages": ["one"],
        "baselines": [],
        "refit": False,
    }
    config = config.model_copy(update={"merge": type(config.merge).model_validate(merge)})
    candidates, made = [], []
    recipe_of, applied = Space.recipe, running.Workbench.applied

    def drawing(self, numbers):
        candidates.append(recipe_of(self, numbers))
        return candidates[-1]

    def watching(self, vector):
        if len(made) < len(candidates) <= 5:
            made.append((self, {name: tensor.clone() for name, tensor in vector.items()}))
        return applied(self, vector)

    monkeypatch.setattr(Space, "recipe", drawing)
    monkeypatch.setattr(running.Workbench, "applied", watching)
    evolve(config)
    assert len({recipe.options["time"] for recipe in candidates[:5]}) > 2
    for recipe, (bench, found) in zip(candidates, made, strict=False):
        fresh = recipe.merge(bench.task_vectors, bench.tensors, bench.linear)
        assert all(torch.equal(found[name], tensor) for name, tensor in fresh.items())


def test_candidates_are_merged_from_pristine_tensors(merged):
    config = load_config(merged.folder / "config.yaml")
    table = load_table(config)
    bench = running.Workbench(config, table, [merged.folder.parent / "experts" / task for task in TASKS])
    before = {name: tensor.clone() for name, tensor in bench.tensors.items()}
    for scale in (0.1, 1 / 3, 0.7):
        recipe = Recipe("task_arithmetic", {}, (dict.fromkeys(TASKS, scale),))
        with bench.applied(recipe.merge(bench.task_vectors, bench.tensors, bench.linear)):
            assert any(not torch.equal(before[name], tensor) for name, tensor in bench.tensors.items())
        assert all(torch.equal(before[name], tensor) for name, tensor in bench.tensors.items())
