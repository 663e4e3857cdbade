"""Tuning: trials on dev, ended early, continued after a kill as if there had been none; the result on test, once."""

import io
import json
from dataclasses import replace

import optuna
import pytest
import yaml
from rich.console import Console

from children import child_context, run_together
from corpus import run_data, write_corpus, write_run
from equipoise.config import load_config, make_config
from equipoise.data import load_table
from equipoise.errors import OutputError, TrainingError, UsageError
from equipoise.studies import open_storage
from equipoise.training import fit_on_dev, read_dev_scores, read_run, train_one, watched_run
from equipoise.tuning import TuneResults, tune, tuning_table
from equipoise.tuning import tune_run as module
from equipoise.tuning.space import apply, make_space

ONLY = ["learning_rate", "epochs", "balance"]


@pytest.fixture(scope="module")
def run_file(tmp_path_factory, tiny_model):
    folder = tmp_path_factory.mktemp("tune")
    write_corpus(folder, rows=80)
    return write_run(folder, tiny_model, epochs=1, learning_rate=1e-4)


@pytest.fixture(scope="module")
def tuning(run_file):
    return tune(run_file, trials=8, only=ONLY)


def trials_of(tuning):
    return [(trial.number, trial.settings, trial.dev, trial.scorings, trial.note) for trial in tuning.results.trials]


def test_dev_chooses_and_test_is_told_beside_the_own_settings(tuning, run_file):
    results, config = tuning.results, load_config(run_file)
    assert [trial.number for trial in results.trials] == list(range(8))
    own = results.trials[0]
    assert own.settings == {"learning_rate": 1e-4, "epochs": 1, "balance": "dao"}
    assert own.note == "own settings"
    whole = [trial for trial in results.trials if trial.dev is not None]
    assert results.dev == (own.dev, max(trial.dev for trial in whole))
    assert results.trials[results.best].dev == results.dev[1] > results.dev[0]
    best = read_run(tuning.run)
    assert results.test[1] == best.run_score
    primary = {record["task"]: record["value"] for record in best.records if is_primary(record, config)}
    assert {task.task: task.tuned for task in results.tasks} == primary
    assert all(0 < task.p <= 1 for task in results.tasks)
    assert results.pruned == len(results.trials) - len(whole) > 0
    assert results.seconds >= results.seconds_own > 0


def is_primary(record, config):
    where = (record["model"], record["split"], record["subset"])
    return where == ("run", "test", "all") and record["metric"] == config.open_tasks()[record["task"]].metric


def test_the_tuned_run_file_is_that_of_the_best_run(tuning, run_file):
    tuned, trained = load_config(tuning.run_file), load_config(tuning.run / "config.yaml")
    assert tuned.train == trained.train
    assert tuned.balance == trained.balance
    assert tuned.output == load_config(run_file).output
    assert tuned.train.learning_rate == tuning.results.settings["learning_rate"]


def test_only_two_runs_are_kept(tuning):
    kept = sorted(path.name for path in (tuning.folder / "trials").iterdir())
    assert kept == sorted({"000", f"{tuning.results.best:03d}"})
    assert all((tuning.folder / "trials" / name / "report.html").exists() for name in kept)
    assert not list(tuning.folder.rglob("checkpoints"))


def test_a_pruned_trial_is_worse_than_the_median_at_its_last_scoring(tuning):
    for trial in tuning.results.trials:
        if trial.note == "pruned":
            place = len(trial.scorings) - 1
            before = [
                max(one.scorings[: place + 1]) if place else one.scorings[0]
                for one in tuning.results.trials[: trial.number]
                if one.dev is not None
            ]
            assert max(trial.scorings) < sorted(before)[-1]


def test_called_again_it_trains_nothing_and_more_trials_are_added(tuning, run_file, monkeypatch):
    def fail(*args, **options):
        raise AssertionError("trained")

    with monkeypatch.context() as patch:
        patch.setattr(module, "fit_on_dev", fail)
        again = tune(run_file, trials=8, only=ONLY)
    assert trials_of(again) == trials_of(tuning)
    assert TuneResults.from_json(json.loads((again.folder / "tune.json").read_text())) == again.results


class Killed(BaseException):
    """What a kill is to the code that it strikes."""


def test_killed_anywhere_it_ends_with_the_same_trials(tmp_path, run_file, tuning, monkeypatch):
    data = yaml.safe_load(run_file.read_text())
    config = make_config({**data, "output": str(tmp_path / "killed")}, folder=run_file.parent)
    told = watched_run._TellScores._tell

    def die_at(count):
        left = iter(range(count))

        def tell(self, score):
            if next(left, None) is None:
                raise Killed
            told(self, score)

        return tell

    for count in (0, 2, 3, 7, 1000):
        monkeypatch.setattr(watched_run._TellScores, "_tell", die_at(count))
        try:
            again = tune(config, trials=8, only=ONLY)
        except Killed:
            continue
    assert trials_of(again) == trials_of(tuning)
    assert again.results.test == tuning.results.test


def test_other_settings_or_ranges_are_refused(tuning, run_file):
    with pytest.raises(TrainingError, match="the tuning was started with other settings"):
        tune(run_file, ["train.batch_size=8"], trials=8, only=ONLY)
    with pytest.raises(TrainingError, match="tuned: learning_rate, epochs, balance there, learning_rate now"):
        tune(run_file, trials=8, only=["learning_rate"])
    notes = tuning.folder / "trials" / "000" / "notes.txt"
    notes.write_text("mine")
    with pytest.raises(OutputError, match=r"trials/000/notes\.txt"):
        tune(run_file, trials=8, only=ONLY, overwrite=True)
    notes.unlink()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"trials": 0}, "trials: found 0"),
        ({"minutes": -1}, "minutes: found -1"),
        ({"only": ["learning_rat"]}, "Did you mean 'learning_rate'?"),
        ({"only": ["mixing"]}, "there is one source"),
    ],
)
def test_what_cannot_be_tuned_is_told(options, message, run_file):
    with pytest.raises(UsageError) as error:
        tune(run_file, **options)
    assert message in str(error.value)


def test_the_ranges_hold_the_own_settings(tmp_path, tiny_model):
    data = run_data(tmp_path, tiny_model, head_learning_rate=None, max_steps=3, freeze_layers=2)
    config = make_config({**data, "balance": {"name": "gradnorm", "alpha": 1.0}})
    space = make_space(config, load_table(config), layers=2)
    assert list(space) == ["learning_rate", "freeze_layers", "balance"]
    for setting in space.values():
        assert setting.range._contains(setting.range.to_internal_repr(setting.own))
    assert apply(config, {key: setting.own for key, setting in space.items()}) == config
    changed = apply(config, {"balance": "equal", "freeze_layers": 0})
    assert (changed.balance.name, changed.balance.options, changed.train.freeze_layers) == ("equal", {}, 0)


def test_a_trial_that_diverges_is_the_worst(run_file, tmp_path, monkeypatch):
    from equipoise.balancing import NonFiniteLoss

    config = load_config(run_file, [f"output={tmp_path / 'diverged'}"])

    def diverge(config, table, judge, progress):
        if config.output.name == "001":
            raise NonFiniteLoss("task 'polarity': found nan")
        return fit_on_dev(config, table, judge, progress)

    monkeypatch.setattr(module, "fit_on_dev", diverge)
    results = tune(config, trials=2, only=["learning_rate"]).results
    assert [(trial.dev, trial.note) for trial in results.trials][1] == (0.0, "diverged")
    assert results.best == 0
    assert results.tasks[0].p is None


def test_a_database_does_as_well(run_file, tmp_path):
    config = load_config(run_file, [f"output={tmp_path / 'shared'}", "train.max_steps=2"])
    url = f"sqlite:///{tmp_path}/trials.db"
    tune(config, trials=1, only=["learning_rate"], storage=url)
    assert len(optuna.get_all_study_names(open_storage(url, "storage"))) == 1
    results = tune(config, trials=1, only=["learning_rate"], storage=url, overwrite=True).results
    assert len(results.trials) == 1
    with pytest.raises(TrainingError, match="storage: 'nowhere://x' cannot be reached"):
        tune(config, storage="nowhere://x")


def test_a_run_that_stopped_at_dev_is_finished_as_it_would_have_been(run_file, tmp_path):
    config = load_config(run_file, [f"output={tmp_path / 'parts'}"])
    table = load_table(config)
    seen = []
    assert fit_on_dev(config, table, lambda number, score: not seen.append((number, score)))
    scores = read_dev_scores(config.output)
    assert seen == list(enumerate(scores, start=1))
    assert not (config.output / "metrics.json").exists()
    whole = train_one(config.model_copy(update={"output": tmp_path / "whole"}), table=table)
    assert train_one(config, resume=True).records == whole.records


def test_the_table_says_what_it_cost(tuning):
    out = io.StringIO()
    Console(file=out, width=120).print(tuning_table(tuning.results))
    assert "run score on test" in out.getvalue()
    assert f"{tuning.results.pruned} were ended early" in " ".join(out.getvalue().split())
    assert "<table>" in tuning._repr_html_()


def test_the_table_says_where_nothing_was_better(tuning):
    def say(results):
        out = io.StringIO()
        Console(file=out, width=200).print(tuning_table(results))
        return " ".join(out.getvalue().split())

    results = tuning.results
    assert "No trial was better" in say(replace(results, best=0))
    assert "No trial was better" not in say(results)
    assert "On test the run file's own settings score higher" in say(replace(results, best=1, test=(0.6, 0.5)))
    assert "On test" not in say(replace(results, best=1, test=(0.5, 0.6)))
    alone = say(replace(results, best=0, trials=results.trials[:1], pruned=0))
    assert "Tuned by 1 trial, chosen" in alone
    assert "Only the run file's own settings were tried" in alone
    assert "more --minutes or --trials" in alone


def tune_elsewhere(data, folder, url):
    """Tune as another machine would: in a folder of its own."""
    tune(make_config({**data, "output": str(folder / "run")}), trials=6, only=ONLY, storage=url)


def test_two_processes_that_share_a_database_alone(tmp_path, tiny_model):
    write_corpus(tmp_path, rows=80)
    data = run_data(tmp_path, tiny_model, epochs=1, learning_rate=1e-4)
    url, context = f"sqlite:///{tmp_path}/tune.db", child_context("equipoise.tuning", "equipoise.training")
    folders = [tmp_path / name for name in ("here", "there")]
    assert run_together(context, tune_elsewhere, [(data, folder, url) for folder in folders]) == [0, 0]
    here, there = (json.loads((folder / "run-tune" / "tune.json").read_text()) for folder in folders)
    # Both tell of the same trials, each of which one of them has made.
    assert len({trial["number"] for trial in here["trials"]}) == 6
    for key in ("trials", "best", "settings", "dev", "test", "tasks"):
        assert here[key] == there[key]
    (study,) = optuna.get_all_study_summaries(open_storage(url, "storage"))
    trials = optuna.load_study(study_name=study.study_name, storage=open_storage(url, "storage")).trials
    # Where both open the study at the same moment, the own settings are put in twice, and one of them is given up.
    trials = [trial for trial in trials if trial.state is not optuna.trial.TrialState.FAIL]
    assert len(trials) == 6
    assert len({trial.user_attrs["worker"]["process"] for trial in trials}) == 2
    tuned = [yaml.safe_load((folder / "run-tune" / "tuned.yaml").read_text()) for folder in folders]
    assert tuned[0]["train"] == tuned[1]["train"]
