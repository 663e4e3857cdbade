"""A comparison from run files to the page: what it trains, what it repeats, what it refuses."""

import json
import os
import shutil
import signal

import numpy as np
import pytest

import equipoise
from comparisons import lines_of, strike_comparison, write_run_file
from corpus import words_data, write_data
from equipoise.cli import main
from equipoise.comparison import cell_runs, compare, processes
from equipoise.errors import OutputError, TrainingError, UsageError
from equipoise.reporting import ComparisonResults
from equipoise.training import read_run
from pages import Page

ROWS = ["single-task", "equal", "static-tuned", "dao", "wild: dao"]


def row_of(table, name):
    return next(row for row in table.rows if row.name == name)


def test_the_table_as_data_keeps_its_form(finished):
    data = json.loads((finished.folder / "compare.json").read_text(encoding="utf-8"))
    assert json.loads(json.dumps(finished.results)) == data
    assert json.loads(json.dumps(ComparisonResults.from_json(data).to_json())) == data
    names = "name seeds trials tasks rows tests failed notes run_files versions"
    assert list(data) == names.split()
    names = "kind metric metrics item_metric test_rows parts part_metrics part_errors class_noun counted"
    assert [list(task) for task in data["tasks"].values()] == [names.split()] * 2
    names = (
        "name kind run_file seeds seeds_planned metrics run_score weights epochs seconds_per_step peak_memory_mb "
        "seconds seconds_choosing trajectory parts mean_rank wins delta_m relative_step_time relative_memory"
    )
    assert [list(row) for row in data["rows"]] == [names.split()] * len(ROWS)
    dao = data["rows"][3]
    assert list(dao["metrics"]["dev"]["intensity"]["pearson"]) == ["value", "low", "high", "seeds"]
    assert list(dao["run_score"]["test"]) == list(dao["delta_m"]) == ["value", "low", "high"]
    assert list(dao["trajectory"]["polarity"]) == ["steps", "weights", "losses"]
    assert list(data["tests"]["equal"][0]) == ["row", "task", "difference", "ratio", "p", "p_holm"]
    assert list(data["failed"][0]) == ["row", "seed", "key", "message"]


def test_every_row_and_seed_is_one_line(finished):
    lines = lines_of(finished.folder)
    keys = [line["key"] for line in lines]
    assert len(keys) == len(set(keys))
    good = [line for line in lines if line["status"] == "finished"]
    assert sorted((line["row"], line["role"]) for line in good) == sorted(
        [("single-task", "single")] * 4
        + [("static-tuned", "trial")] * 2
        + [(row, "cell") for row in ("equal", "static-tuned", "dao") for _ in range(2)]
    )
    for line in good:
        folder = finished.folder / line["folder"]
        assert {"config.yaml", "log.jsonl", "metrics.json", "predictions.npz", "report.html"} <= set(os.listdir(folder))
        assert not (folder / "model").exists()
        assert {record["split"] for record in line["metrics"]} == {"dev", "test"}
        assert {record["task"] for record in line["metrics"]} == set(line["tasks"])
        assert line["steps"] == (1 if line["role"] == "trial" else 4)
        assert min(line["seconds_per_step"], line["peak_memory_mb"]) > 0
    # What a training has printed stays where it failed.
    assert len(list((finished.folder / "runs").rglob("*.log"))) == 2


def test_failures_are_recorded_and_the_rest_goes_on(finished):
    failed = finished.table.failed
    assert sorted((one.row, one.seed) for one in failed) == [("wild: dao", 0), ("wild: dao", 1)]
    assert all("not finite" in one.message for one in failed)
    assert [row.name for row in finished.table.rows if row.seeds] == ROWS[:4]


def test_the_table_is_what_the_runs_say(finished):
    table = finished.table
    lines = {line["key"]: line for line in lines_of(finished.folder)}

    def pearson(key):
        return next(
            record["value"]
            for record in lines[key]["metrics"]
            if (record["split"], record["metric"]) == ("test", "pearson")
        )

    dao = row_of(table, "dao").metrics["test"]["intensity"]["pearson"]
    assert dao.value == pytest.approx((pearson("dao/seed-0") + pearson("dao/seed-1")) / 2)
    single = row_of(table, "single-task").metrics["test"]
    assert set(single) == {"intensity", "polarity"}
    assert single["intensity"]["pearson"].seeds == [
        pearson("single-task/intensity/seed-0"),
        pearson("single-task/intensity/seed-1"),
    ]
    assert row_of(table, "single-task").delta_m.value == pytest.approx(0)
    gains = [
        row_of(table, "dao").metrics["test"][task][metric].value / single[task][metric].value - 1
        for task, metric in (("intensity", "pearson"), ("polarity", "macro_f1"))
    ]
    assert row_of(table, "dao").delta_m.value == pytest.approx(50 * sum(gains))
    assert sum(row.wins for row in table.rows if row.seeds) >= 2
    assert row_of(table, "equal").relative_step_time == 1


def test_static_weights_are_chosen_on_dev_and_their_trials_paid_for(finished):
    trials = sorted(
        (line for line in lines_of(finished.folder) if line["role"] == "trial"), key=lambda line: line["key"]
    )
    best = max(trials, key=lambda line: line["run_score"]["dev"])
    tuned = row_of(finished.table, "static-tuned")
    assert tuned.weights == best["overrides"]["balance"]["weights"]
    assert tuned.seconds_choosing == pytest.approx(sum(line["seconds"] for line in trials))
    cells = [line for line in lines_of(finished.folder) if (line["row"], line["role"]) == ("static-tuned", "cell")]
    assert tuned.seconds == pytest.approx(sum(line["seconds"] for line in trials + cells))


def test_items_of_the_runs_are_tested_in_pairs(finished):
    table = finished.table
    tests = table.tests["single-task"]
    assert {(test.row, test.task) for test in tests} == {
        (row, task) for row in ROWS[1:4] for task in ("intensity", "polarity")
    }
    dao = next(test for test in tests if (test.row, test.task) == ("dao", "intensity"))
    mse = {row: row_of(table, row).metrics["test"]["intensity"]["mse"].value for row in ("dao", "single-task")}
    assert dao.ratio.value == pytest.approx(mse["dao"] / mse["single-task"])
    assert dao.ratio.low <= dao.ratio.value <= dao.ratio.high
    assert all(test.p <= test.p_holm <= 1 for test in tests)
    # The mean over regions, weighted by their rows, is the whole.
    parts = table.tasks["intensity"].parts
    regions = row_of(table, "dao").parts["intensity"]
    whole = sum(part["items"] * (region["mse"] or 0) for part, region in zip(parts, regions, strict=True))
    assert whole / sum(part["items"] for part in parts) == pytest.approx(mse["dao"])


def test_called_again_it_trains_only_what_failed(finished, tmp_path, tiny_model, monkeypatch):
    folder = tmp_path / "copy"
    shutil.copytree(finished.folder, folder)
    started = []

    class Watched(processes.RunningCell):
        def __init__(self, cell, threads, restart):
            started.append((cell.key, restart))
            super().__init__(cell, threads, restart)

    monkeypatch.setattr(cell_runs, "RunningCell", Watched)
    source = finished.folder.parent
    again = equipoise.compare(source / "run.yaml", ["dao"], seeds=2, trials=2, output=folder)
    assert started == []
    for name in ("single-task", "equal", "static-tuned", "dao"):
        assert row_of(again.table, name).metrics == row_of(finished.table, name).metrics

    # A line that was cut short counts for nothing; its run is finished already and only recorded.
    journal = folder / "compare.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    last = next(i for i, line in enumerate(lines) if '"dao/seed-1"' in line)
    journal.write_text("".join(lines[:last] + lines[last + 1 :]) + lines[last][:100])
    log = folder / "runs/dao/seed-1/log.jsonl"
    before = log.stat().st_mtime_ns
    compare([source / "run.yaml", source / "wild.yaml"], "dao", seeds=2, trials=2, output=folder, jobs=2)
    assert [restart for _, restart in sorted(started)] == [False, True, True]
    assert [line["row"] for line in lines_of(folder)[-3:]] == ["dao", "wild: dao", "wild: dao"]
    assert log.stat().st_mtime_ns == before


def test_other_settings_are_refused(finished, tmp_path, tiny_model):
    source = finished.folder.parent
    run = source / "run.yaml"

    def again(*overrides, **options):
        compare([run], "dao", overrides, **{"seeds": 2, "trials": 2, "output": finished.folder, **options})

    with pytest.raises(TrainingError, match=r"run\.train\.learning_rate: 0\.003 there, 0\.001 now.*--overwrite"):
        again("train.learning_rate=0.001")
    with pytest.raises(TrainingError, match="trials: 2 there, 3 now"):
        again(trials=3)
    with pytest.raises(TrainingError, match="single_task_epochs"):
        again(single_task_epochs=[1, 2])
    with pytest.raises(OutputError, match="holds the input"):
        compare([run], "dao", output=source)
    shutil.copytree(finished.folder, tmp_path / "copy")
    settings = json.loads((tmp_path / "copy/settings.json").read_text())
    settings["run_files"]["run"]["data"] = "other"
    (tmp_path / "copy/settings.json").write_text(json.dumps(settings))
    with pytest.raises(TrainingError, match="run: the rows or labels of its files"):
        again(output=tmp_path / "copy")


def test_killed_and_called_again_it_repeats_nothing(tmp_path, tiny_model):
    run_file = write_run_file(tmp_path, tiny_model, tasks=("polarity",))
    folder = tmp_path / "comparison"
    assert strike_comparison(run_file, folder, after=1) == -signal.SIGKILL
    before = lines_of(folder)
    assert len(before) == 1
    comparison = compare([run_file], "equal", seeds=3, jobs=2, output=folder)
    lines = lines_of(folder)
    assert lines[:1] == before
    keys = [line["key"] for line in lines]
    assert len(keys) == len(set(keys)) == 3
    assert comparison.table.failed == []


def test_epochs_of_single_tasks_are_chosen_on_dev(tmp_path, tiny_model):
    run_file = write_run_file(tmp_path, tiny_model, tasks=("polarity",), max_steps=None)
    comparison = compare([run_file], "equal", seeds=2, single_task_epochs=[0.25, 0.5], output=tmp_path / "c")
    lines = {line["key"]: line for line in lines_of(tmp_path / "c")}
    best = max(("0.25", "0.5"), key=lambda n: lines[f"single-task/polarity/epochs-{n}/seed-0"]["run_score"]["dev"])
    assert len(lines) == 3
    assert f"single-task/polarity/epochs-{best}/seed-1" in lines
    (row,) = comparison.table.rows
    assert row.epochs == {"polarity": float(best)}
    assert row.seeds == [0, 1]
    other = lines[f"single-task/polarity/epochs-{'0.5' if best == '0.25' else '0.25'}/seed-0"]
    assert row.seconds_choosing == pytest.approx(other["seconds"])
    assert "run once" in comparison.table.notes[0]


def test_interrupted_it_says_how_to_go_on(tmp_path, tiny_model, monkeypatch):
    run_file = write_run_file(tmp_path, tiny_model, tasks=("polarity",))

    def interrupt(*arguments):
        raise KeyboardInterrupt

    show = cell_runs._show
    monkeypatch.setattr(cell_runs, "_show", interrupt)
    with pytest.raises(TrainingError, match="Run the same command again to continue"):
        compare([run_file], "equal", seeds=1, output=tmp_path / "c")
    monkeypatch.setattr(cell_runs, "_show", show)
    compare([run_file], "equal", seeds=1, output=tmp_path / "c")
    assert [line["status"] for line in lines_of(tmp_path / "c")] == ["finished"]


def test_the_command(finished, tmp_path, capsys, monkeypatch):
    source = finished.folder.parent
    shutil.copytree(finished.folder, tmp_path / "copy")
    command = ["equipoise", "compare", str(source / "run.yaml"), "--balance", "dao", "--seeds", "2"]
    command += ["--trials", "2", "-o", str(tmp_path / "copy")]
    monkeypatch.setattr("sys.argv", command)
    with pytest.raises(SystemExit) as ended:
        main()
    out = capsys.readouterr().out
    assert not ended.value.code
    for word in ("single-task", "static-tuned", "dao", "Δm %", "mean rank", "compare.html"):
        assert word in out
    monkeypatch.setattr("sys.argv", [*command, "--single-task-epochs", "3,many"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "--single-task-epochs: found '3,many', expected numbers" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options",
    [{"seeds": 0}, {"jobs": 0}, {"single_task_epochs": [0]}, {"single_task_epochs": [float("nan")]}],
)
def test_numbers_must_be_above_zero(options):
    with pytest.raises(UsageError, match="expected a number above 0"):
        compare(["nowhere.yaml"], **options)


def test_trials_must_not_be_below_zero():
    with pytest.raises(UsageError, match="trials: found -1, expected 0 or more"):
        compare(["nowhere.yaml"], trials=-1)


def test_a_launcher_is_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UsageError, match="call it without a launcher"):
        compare("nowhere.yaml")


def test_predictions_lie_where_the_table_takes_them_from(finished):
    with np.load(finished.folder / "runs/dao/seed-0/predictions.npz", allow_pickle=False) as arrays:
        assert arrays["test/polarity"].shape == (len(arrays["test/polarity/gold"]), 3)


def test_the_base_language_model_is_a_row_of_its_own(tmp_path, tiny_llm):
    data = words_data(tmp_path, tiny_llm, max_steps=2, evaluations=1)
    # No grid can be written out without a range, so that nobody can be prompted for the score.
    data["tasks"] = {
        "words": {**data["tasks"]["words"], "format": "prompt"},
        "score": {"source": "reviews", "kind": "regression", "label": "score"},
    }
    data["sources"]["reviews"]["limit"] = {"train": 40, "dev": 6}
    data |= {"max_length": 128, "lora": {"rank": 2}}
    data["evaluation"] = {"bootstrap": 100, "baselines": ["majority", "zero_shot", "few_shot"], "shots": 2}
    path = write_data(tmp_path, data)
    comparison = compare([path], "equal", seeds=2, trials=1, jobs=2, output=tmp_path / "out")
    rows = {row.name: row for row in comparison.table.rows}
    assert [*rows] == ["single-task", "equal", "static-tuned", "zero-shot", "few-shot"]
    assert (rows["zero-shot"].seeds, rows["few-shot"].seeds) == ([0], [0, 1])
    for name in ("zero-shot", "few-shot"):
        row = rows[name]
        assert set(row.metrics["test"]) == {"words"}
        assert row.run_score["test"] is row.delta_m is row.seconds_per_step is None
    tested = {(test.row, test.task) for test in comparison.table.tests["equal"]}
    assert ("zero-shot", "words") in tested
    assert ("zero-shot", "score") not in tested
    page = Page((comparison.folder / "compare.html").read_text(encoding="utf-8"))
    assert "zero-shot" in [line[0] for line in page.tables[0]]
    # No model prompts the base again, and nothing is repeated.
    lines = lines_of(comparison.folder)
    models = {line["model"] for line in read_run(comparison.folder / "runs/equal/seed-0").records}
    assert models == {"run", "majority"}
    compare([path], "equal", seeds=2, trials=1, jobs=2, output=tmp_path / "out")
    assert lines_of(comparison.folder) == lines


def test_a_run_file_may_have_fewer_tasks(tmp_path, tiny_model):
    files = [write_run_file(tmp_path, tiny_model), write_run_file(tmp_path, tiny_model, "fewer", tasks=("polarity",))]
    comparison = compare(files, "single-task,dao", seeds=1, trials=0, output=tmp_path / "out")
    table = comparison.table
    rows = {row.name: row for row in table.rows}
    names = ["single-task", "equal", "dao", "fewer: single-task", "fewer: dao"]
    assert [*rows] == names, "no trials, no static weights"
    assert [*table.tests] == ["single-task", "equal", "fewer: single-task"]
    assert set(rows["fewer: single-task"].metrics["test"]) == {"polarity"}
    assert [line["tasks"] for line in lines_of(comparison.folder) if line["row"] == "fewer: single-task"] == [
        ["polarity"]
    ]
    whole, part = rows["dao"], rows["fewer: dao"]
    assert set(part.metrics["test"]) == {"polarity"}
    assert part.delta_m is part.mean_rank is part.wins is part.run_score["test"] is None
    assert whole.mean_rank is not None
    assert part.relative_step_time > 0
    assert {test.task for test in table.tests["equal"] if test.row == "fewer: dao"} == {"polarity"}
    assert "fewer has no intensity: its rows have no Δm, rank or run score." in table.notes
    page = (comparison.folder / "compare.html").read_text(encoding="utf-8")
    assert "fewer: dao" in page
