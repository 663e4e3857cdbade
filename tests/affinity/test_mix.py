"""`equipoise mix` from the run file to `mixed.yaml`: what it finds, repeats, refuses and leaves alone."""

import json
import shutil
import signal
import sys

import pytest

from corpus import run_data, write_data
from equipoise.affinity import Mix, mix
from equipoise.affinity.mix_folder import MixFolder
from equipoise.cli import main
from equipoise.config import load_config, make_config
from equipoise.errors import DataError, OutputError, TrainingError, UsageError
from equipoise.reporting import Verdict
from equipoise.training import dev_run, train
from strike import strike

PASSES = 12
"""Of the finished mix."""


def journal(folder):
    """The lines, without the time that they took."""
    return {key: {**line, "seconds": None} for key, line in MixFolder(folder).journal.read().items()}


def pairs_of(found: Mix):
    return {(pair.target, pair.helper): pair for pair in found.results.pairs}


def copy_of(found, folder):
    """A finished mix that may be changed, and its run file."""
    shutil.copytree(found.folder, folder / "run" / "mix")
    return load_config(found.folder / "config.yaml").model_copy(update={"output": folder / "run"})


def test_the_same_task_on_other_rows_helps_and_random_labels_do_not(mixed):
    pairs = pairs_of(mixed)
    twin, noise = pairs["target", "twin"], pairs["target", "noise"]
    assert twin.estimate.value > noise.estimate.value
    assert twin.trained.gain.value > noise.trained.gain.value
    assert (twin.verdict, twin.chosen) == (Verdict.HELPS, True)
    assert twin.trained.metric > twin.trained.metric_alone
    assert noise.verdict is not Verdict.HELPS
    assert mixed.results.chosen == ["twin"]


def test_the_run_file_holds_the_target_and_what_helps_and_can_be_trained(mixed, tmp_path):
    text = (mixed.folder / "mixed.yaml").read_text(encoding="utf-8")
    assert "# twin helps target: its loss on dev is" in text
    config = load_config(mixed.folder / "mixed.yaml")
    assert {name: task.auxiliary for name, task in config.tasks.items()} == {"target": False, "twin": True}
    assert set(config.sources) == {"few", "many"}
    assert config.train.mixing == 0
    assert config.output.name == "run-mixed"
    # As many passes over the target's rows as planned, half of each batch.
    rows = mixed.results.targets["target"].train_rows
    planned = load_config(mixed.folder / "config.yaml")
    total = rows + 500 + 500
    passes = planned.train.epochs * (total * rows**0.5 / (rows**0.5 + 2 * 500**0.5)) / rows
    assert config.train.max_steps * 16 == pytest.approx(2 * passes * rows, rel=0.05)
    short = config.model_copy(update={"train": config.train.model_copy(update={"max_steps": 2})})
    assert train(short.model_copy(update={"output": tmp_path / "trained"})).run_score >= 0


def test_nothing_but_its_files_is_left(mixed):
    names = {"config.yaml", "data.json", "mix.html", "mix.json", "mix.jsonl", "mixed.yaml"}
    assert {path.name for path in mixed.folder.iterdir()} == names
    stored = json.loads((mixed.folder / "mix.json").read_text(encoding="utf-8"))
    assert stored == json.loads(json.dumps(mixed.results.to_json()))


def test_what_is_finished_is_not_repeated(mixed, tmp_path, monkeypatch):
    config = copy_of(mixed, tmp_path)
    monkeypatch.setattr("equipoise.affinity.running.train_for_dev", None)
    again = mix(config, passes=PASSES, budget=1)
    assert again.results == mixed.results


def test_a_larger_budget_trains_more_and_keeps_what_is_there(tmp_path, tiny_model, write_mix):
    config = make_config(write_mix(tmp_path, tiny_model))
    little = mix(config, passes=1, budget=0.01)
    assert [pair.trained is not None for pair in little.results.pairs] == [True, False]
    before = journal(little.folder)
    more = mix(config, passes=1, budget=1)
    assert all(pair.trained for pair in more.results.pairs)
    assert more.results.cost.share > little.results.cost.share
    assert {key: line for key, line in journal(more.folder).items() if key in before} == before


def test_test_is_never_encoded(tmp_path, tiny_model, write_mix, monkeypatch):
    seen = []
    prepare = dev_run.prepare_run

    def watched(config, table):
        seen.append(set(table.splits))
        return prepare(config, table)

    monkeypatch.setattr(dev_run, "prepare_run", watched)
    mix(make_config(write_mix(tmp_path, tiny_model)), passes=1)
    assert len(seen) == 4
    assert all(splits == {"train", "dev"} for splits in seen)


def test_killed_and_called_again_it_ends_as_if_never_killed(mixed, tmp_path, tiny_model, write_mix):
    run_file = write_data(tmp_path, write_mix(tmp_path, tiny_model))
    options = ["--passes", str(PASSES), "--budget", "1"]
    struck = strike(run_file, 40, signal.SIGKILL, command="mix", options=options)
    assert struck.exit_code == -signal.SIGKILL, struck.stderr
    assert (tmp_path / "run" / "mix" / "target+").is_dir()
    again = mix(run_file, passes=PASSES, budget=1)
    assert journal(again.folder) == journal(mixed.folder)
    assert again.results.chosen == mixed.results.chosen


@pytest.mark.parametrize(("step", "stopped"), [(2, 3), (20, 20)])  # 20: the last one of a helper
def test_ctrl_c_stops_and_says_how_to_go_on_and_it_goes_on(tmp_path, tiny_model, write_mix, step, stopped):
    run_file = write_data(tmp_path, write_mix(tmp_path, tiny_model))
    struck = strike(run_file, step, signal.SIGINT, command="mix")
    assert struck.exit_code == 1
    assert f"Stopped at step {stopped} of 20" in struck.stderr
    assert "a checkpoint is saved. Run the same command again to continue." in struck.stderr
    assert (tmp_path / "run" / "mix" / "+twin").is_dir()
    assert mix(run_file).results.chosen is not None


def test_notes_say_what_is_not_estimated_and_what_is_uncertain_and_what_the_next_pair_needs(
    tmp_path, tiny_model, write_mix
):
    data = write_mix(tmp_path, tiny_model)
    data["sources"]["many"]["limit"] = {"train": 7}
    data["sources"]["few"]["split"] = [0.7, 0.2, 0.1]
    found = mix(make_config(data), passes=1, budget=0.01)
    notes = "\n".join(found.results.notes)
    assert "Helper 'twin': what it gives is not estimated (kind classification" in notes
    assert "7 training rows), so its pairs are trained after those that promise more." in notes
    assert "Target 'target': what helps it" not in notes
    assert "rows in dev; with so few, 'helps' may be chance" in notes
    (line,) = [note for note in found.results.notes if note.startswith("The next pair")]
    budget = float(line.rpartition(" ")[2].rstrip("."))
    again = mix(make_config(data), passes=1, budget=min(1.0, budget))
    assert all(pair.trained for pair in again.results.pairs)


def test_scored_tasks_help_each_other_and_other_kinds_are_measured_too(tmp_path, tiny_model):
    data = run_data(tmp_path, tiny_model, epochs=1)
    found = mix(make_config(data), passes=0.5, budget=0.3, targets=["polarity", "intensity"])
    assert list(found.results.targets) == ["intensity", "polarity"]
    assert {(pair.target, pair.helper) for pair in found.results.pairs} == {
        ("intensity", "polarity"),
        ("intensity", "towards"),
        ("polarity", "intensity"),
        ("polarity", "towards"),
    }
    config = load_config(found.folder / "mixed.yaml")
    assert {"intensity", "polarity"} <= set(config.tasks)
    assert config.tasks.get("towards") is None or config.tasks["towards"].auxiliary


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"targets": ["twin"]}, r"--target: task 'twin' is auxiliary, so it has no dev rows; expected one of target"),
        ({"targets": ["tagret"]}, r"--target: the run file has no task 'tagret'. Did you mean 'target'"),
        ({"candidates": "auxilary"}, r"--candidates: found 'auxilary'. Did you mean 'auxiliary'"),
        ({"budget": 0.0}, r"--budget: found 0, expected a number above 0"),
        ({"budget": 7.0}, r"--budget: found 7, expected a number above 0, 1 at most"),
        ({"passes": -1.0}, r"--passes: found -1, expected a number above 0"),
        ({"passes": float("nan")}, r"--passes: found nan, expected a number above 0"),
    ],
)
def test_a_wrong_option_is_said_before_anything_is_read(tmp_path, tiny_model, write_mix, options, message):
    config = make_config(write_mix(tmp_path, tiny_model))
    with pytest.raises(UsageError, match=message):
        mix(config, **options)
    assert not (tmp_path / "run").exists()


def test_one_task_cannot_be_mixed(tmp_path, tiny_model, write_mix):
    data = write_mix(tmp_path, tiny_model)
    data["tasks"] = {"target": data["tasks"]["target"]}
    with pytest.raises(UsageError, match=r"the run file has one task, expected two or more"):
        mix(make_config(data))


def test_auxiliary_candidates_have_to_be_there(tmp_path, tiny_model):
    with pytest.raises(UsageError, match=r"no task of the run file is auxiliary; mark those that may help"):
        mix(make_config(run_data(tmp_path, tiny_model)), candidates="auxiliary")


def test_a_target_without_dev_rows_is_refused(tmp_path, tiny_model, write_mix):
    data = write_mix(tmp_path, tiny_model)
    data["sources"]["few"]["split"] = [0.9, 0.0, 0.1]
    with pytest.raises(UsageError, match=r"leaves nothing for dev"):
        mix(make_config(data))
    whole = tmp_path / "few" / "reviews.csv"
    dev = tmp_path / "dev.csv"
    dev.write_text(f"{whole.read_text().splitlines()[0]}\ngood film,film,1,,w1\n", encoding="utf-8")
    data["sources"]["few"] = {"train": str(whole), "dev": str(dev)}
    with pytest.raises(DataError, match=r"dev"):
        mix(make_config(data))


def test_another_mix_is_not_continued(mixed, tmp_path):
    config = copy_of(mixed, tmp_path)
    with pytest.raises(TrainingError, match=r"other settings \(passes: 12 there, 5.0 now\)"):
        mix(config, passes=5.0)
    changed = config.model_copy(update={"max_length": 16})
    with pytest.raises(TrainingError, match=r"other settings \(max_length: 32 there, 16 now\)"):
        mix(changed, passes=PASSES)


def test_other_files_in_its_folder_are_kept(tmp_path, tiny_model, write_mix):
    place = tmp_path / "run" / "mix"
    place.mkdir(parents=True)
    (place / "diary.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(OutputError, match=r"diary.txt"):
        mix(make_config(write_mix(tmp_path, tiny_model)), overwrite=True)
    assert (place / "diary.txt").read_text(encoding="utf-8") == "mine"


def test_the_command_shows_the_table_and_where_things_are(mixed, tmp_path, monkeypatch, capsys):
    config = copy_of(mixed, tmp_path)
    monkeypatch.chdir(tmp_path)
    run_file = mixed.folder / "config.yaml"
    arguments = ["mix", str(run_file), "--set", f"output={config.output}", "--passes", str(PASSES), "--budget", "1"]
    monkeypatch.setattr(sys, "argv", ["equipoise", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    out = capsys.readouterr().out
    assert "Which tasks help which, on dev" in out
    assert "helps" in out
    assert "Page: run/mix/mix.html   Run file: run/mix/mixed.yaml" in out
    monkeypatch.setattr(sys, "argv", ["equipoise", "mix", str(run_file), "--target", "twin"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
