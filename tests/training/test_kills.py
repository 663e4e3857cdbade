"""What a kill leaves of a folder is known for what it is: unfinished, ours, and without what does not belong there."""

import shutil
from contextlib import suppress

import pytest

from corpus import run_data
from equipoise.config import make_config
from equipoise.evolution.folder import MERGE_OUTPUT, MergeFolder
from equipoise.experts.experts_folder import EXPERTS_OUTPUT, ExpertsFolder
from equipoise.outputs import check_output
from equipoise.training.checkpoints import check_checkpoint, mark_complete
from equipoise.training.run_folder import RUN_OUTPUT, open_run, tidy_finished
from equipoise.workspace import _workspace, lock_folder

TOKEN = "12-0123abcd"
DATA = {"fingerprint": "one", "rows": {}, "base": {}}


class Killed(BaseException):
    """Ends a block as a kill does."""


@pytest.fixture
def config(tmp_path):
    return make_config(run_data(tmp_path, "bilstm"))


def start_run(config):
    open_run(config, DATA, resume=True)


def start_experts(config):
    ExpertsFolder(config.output / "experts").start(config, DATA)


def start_merge(config):
    MergeFolder(config.output / "merge").start(config, DATA)


def test_a_checkpoint_is_complete_without_what_a_kill_has_left_in_it(tmp_path):
    (tmp_path / "model.safetensors").write_text("weights")
    (tmp_path / f".complete.tmp.{TOKEN}").write_text("{")
    mark_complete(tmp_path)
    check_checkpoint(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["complete", "model.safetensors"]


def test_a_finished_run_is_tidied(tmp_path):
    for name in ("report.html", ".lock", f".report.html.tmp.{TOKEN}"):
        (tmp_path / name).write_text("")
    (tmp_path / "checkpoints" / "checkpoint-3").mkdir(parents=True)
    with lock_folder(tmp_path):
        before = sorted(tmp_path.iterdir())
        tidy_finished(tmp_path)  # another process is in it
        assert sorted(tmp_path.iterdir()) == before
    tidy_finished(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.parametrize("start", [start_run, start_experts, start_merge])
@pytest.mark.parametrize("what", ["write_text", "write_json"])
def test_a_folder_that_was_killed_while_it_was_started_is_ours(config, monkeypatch, start, what):
    config.output.mkdir()
    for name in ("experts", "merge"):
        (config.output / name).mkdir()
    kinds = {
        start_run: (RUN_OUTPUT, config.output),
        start_experts: (EXPERTS_OUTPUT, config.output / "experts"),
        start_merge: (MERGE_OUTPUT, config.output / "merge"),
    }
    kind, folder = kinds[start]

    def kill(*arguments):
        raise Killed

    # Killed before one of the two files that start a folder.
    monkeypatch.setattr(_workspace, what, kill)
    with suppress(Killed):
        start(config)
    monkeypatch.undo()
    check_output(folder, kind)
    start(config)
    assert check_output(folder, kind)
    assert (folder / "data.json").exists()


def test_what_says_that_something_is_finished_is_removed_first_and_whose_it_is_last(config, monkeypatch):
    removed = []
    config.output.mkdir()
    start_run(config)
    start_merge(config)
    monkeypatch.setattr(_workspace, "remove_folder", lambda path: removed.append(path.name))
    open_run(config, DATA, resume=False)
    assert (removed[0], removed[-1]) == ("report.html", "config.yaml")
    removed.clear()
    MergeFolder(config.output / "merge").start(config, DATA, restart=True)
    assert (removed[0], removed[-1]) == ("merge.jsonl", "config.yaml")


def test_a_moved_merge_with_the_locks_of_an_earlier_version_opens(config):
    start_merge(config)
    folder = config.output / "merge"
    (folder / "searches.log.lock").symlink_to(folder / "searches.log")
    moved = folder.with_name("moved")
    shutil.move(folder, moved)
    MergeFolder(moved).start(config, DATA)
    assert not (moved / "searches.log.lock").is_symlink()
