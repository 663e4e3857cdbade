"""A kind that somebody else brings along is a kind like ours: nothing under `src/` knows it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import count_kind
import equipoise
from corpus import GOOD, write_corpus, write_data
from equipoise.comparison import compare
from equipoise.config import load_config
from equipoise.curriculum import measure_difficulty
from equipoise.errors import UsageError
from equipoise.evaluation import evaluate
from equipoise.kinds import list_kinds, register
from equipoise.merging import merge
from equipoise.training import train


@pytest.fixture(autouse=True, scope="module")
def _registered():
    from equipoise.kinds import registry

    register(count_kind.KIND)
    yield
    del registry._KINDS["count"]


def write_counts(folder: Path, model: Path, **train_options: object) -> Path:
    """A run file with a count of the good words of a text, and a class."""
    header, *lines = write_corpus(folder).read_text().splitlines()
    counted = [f"{line},{sum(word in GOOD for word in line.split(',')[0].split())}" for line in lines]
    (folder / "counts.csv").write_text("\n".join([f"{header},praise", *counted]) + "\n")
    options = {"epochs": 4, "batch_size": 16, "learning_rate": 3e-3, "head_learning_rate": 3e-3, "evaluations": 2}
    data = {
        "model": str(model),
        "max_length": 32,
        "sources": {"reviews": {"path": str(folder / "counts.csv")}},
        "tasks": {
            "praise": {"source": "reviews", "kind": "count", "label": "praise", "largest": 9},
            "polarity": {"source": "reviews", "kind": "classification", "label": "label"},
        },
        "train": {**options, **train_options},
        "evaluation": {"bootstrap": 100},
        "output": str(folder / "run"),
    }
    return write_data(folder, data)


@pytest.fixture(scope="module")
def run(tmp_path_factory, tiny_model):
    return train(write_counts(tmp_path_factory.mktemp("counts"), tiny_model))


def values(run):
    return {
        (record["model"], record["task"], record["metric"]): record["value"]
        for record in run.records
        if record["split"] == "test" and record["subset"] == "all"
    }


def test_it_is_trained_scored_and_reported(run):
    found = values(run)
    assert found["run", "praise", "spearman"] > 0.5
    assert found["run", "praise", "deviance"] < found["majority", "praise", "deviance"]
    page = (run.folder / "report.html").read_text()
    assert "praise" in page
    assert "deviance" in page


def test_it_predicts_like_the_table_says(run):
    model = equipoise.load(run.folder)
    many, none = model.predict(["good great love best", "phone film staff place"])
    assert many["praise"]["count"] > none["praise"]["count"] >= 0
    assert set(many["polarity"]["probabilities"]) == {"negative", "neutral", "positive"}


def test_it_is_evaluated_again(run):
    records = evaluate(run.folder, run.folder / "config.yaml")
    again = {(one["task"], one["metric"]): one["value"] for one in records if one["model"] == "run"}
    assert again["praise", "spearman"] == pytest.approx(values(run)["run", "praise", "spearman"], abs=1e-6)


def test_it_is_resumed(tmp_path, tiny_model, run):
    from equipoise.training import trainer

    run_file = write_counts(tmp_path, tiny_model)
    save, saved = trainer.MultiTaskTrainer._save_checkpoint, []

    def save_and_stop(self, *args, **options):
        save(self, *args, **options)
        saved.append(self.state.global_step)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer.MultiTaskTrainer, "_save_checkpoint", save_and_stop)
        with pytest.raises(KeyboardInterrupt):
            train(run_file)
    assert saved
    resumed = train(run_file, resume=True)
    assert values(resumed) == values(run)


def test_its_own_keys_are_refused_elsewhere(tmp_path, tiny_model):
    run_file = write_counts(tmp_path, tiny_model)
    with pytest.raises(UsageError, match="'largest' goes with kind: count, found kind: classification"):
        load_config(run_file, ["tasks.polarity.largest=3"])
    with pytest.raises(UsageError, match="'range' goes with kind: regression, found kind: count"):
        load_config(run_file, ["tasks.praise.range=[0, 1]"])
    with pytest.raises(UsageError, match="expected 'head' for kind: count"):
        load_config(run_file, ["tasks.praise.format=prompt"])


def test_its_difficulty_is_measured(tmp_path, tiny_model):
    found = measure_difficulty(write_counts(tmp_path, tiny_model)).difficulty
    assert np.isfinite(found.tasks["praise"].metadata).all()
    assert "Task 'praise' is measured by meta data only: kind count has no measure on features." in found.notes


def test_it_is_compared(tmp_path, tiny_model):
    comparison = compare(
        [write_counts(tmp_path, tiny_model, max_steps=4, evaluations=1)],
        "equal",
        seeds=1,
        trials=0,
        output=tmp_path / "c",
    )
    row = next(row for row in comparison.table.rows if row.name == "equal")
    assert row.metrics["test"]["praise"]["deviance"].value > 0
    assert "praise" in (tmp_path / "c" / "compare.html").read_text()


def test_it_is_merged(tmp_path, run):
    for name in ("one", "other"):
        shutil.copytree(run.folder / "model", tmp_path / name)
    merge(
        [tmp_path / "one", tmp_path / "other"], tmp_path / "merged", base=load_config(run.folder / "config.yaml").model
    )
    texts = ["good great love best"]
    (before,), (after,) = (equipoise.load(folder).predict(texts) for folder in (run.folder, tmp_path / "merged"))
    assert after["praise"]["count"] == pytest.approx(before["praise"]["count"], rel=1e-4)


def run_with_package(folder, entry, *command):
    """Run Python where a package is installed that names a kind."""
    info = folder / "count_kind-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: count-kind\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[equipoise.kinds]\ncount = {entry}\n")
    inherited = filter(None, [os.environ.get("PYTHONPATH")])
    path = os.pathsep.join([str(folder), str(Path(__file__).parents[1]), *inherited])
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.run([sys.executable, *command], env=environment, capture_output=True, text=True)


def test_an_installed_package_brings_it_along(tmp_path):
    """By an entry point alone: the process that reads the run file imports nothing of the package itself."""
    run_file = write_counts(tmp_path, Path("minilm"))
    code = "import sys, equipoise.config as c; print(c.load_config(sys.argv[1]).open_tasks()['praise'])"
    result = run_with_package(tmp_path, "count_kind:KIND", "-c", code, str(run_file))
    assert "Count(name='praise'" in result.stdout, result.stderr


def test_an_installed_package_that_is_broken_is_named(tmp_path):
    result = run_with_package(tmp_path, "no_such_module:KIND", "-m", "equipoise", "list", "kinds")
    assert result.returncode == 2
    assert result.stderr.startswith("usage: kind 'count' of the installed package 'count-kind' cannot be loaded")
    assert "Traceback" not in result.stderr


def test_a_name_is_given_once():
    before = list_kinds()
    other = count_kind.Kind(count_kind.Count, config="a:b", objective="a:b", analysis="a:b", metrics="a:b")
    with pytest.raises(ValueError, match="another kind has this name"):
        register(other)
    assert list_kinds() == before
    assert list(before)[-1] == "count"
