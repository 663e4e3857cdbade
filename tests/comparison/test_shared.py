"""A comparison that several processes share: they have nothing in common but its folder."""

import json
import multiprocessing

import pytest

from children import run_together
from comparisons import CONTEXT, lines_of, write_run_file
from equipoise.comparison import compare, processes
from equipoise.comparison.compare_folder import CompareFolder
from equipoise.errors import TrainingError


def work(run_file, folder):
    if CONTEXT.get_start_method() == "forkserver":
        # This process is a fork of the server already: its trainings are forks of it.
        processes._CONTEXT = multiprocessing.get_context("fork")
    compare([run_file], "equal", seeds=2, trials=2, output=folder)


def decided(found):
    """All that a comparison says but what it cost."""
    if isinstance(found, dict):
        measured = ("seconds", "memory", "step_time")
        return {name: decided(one) for name, one in found.items() if not any(word in name for word in measured)}
    return [decided(one) for one in found] if isinstance(found, list) else found


def test_two_processes_share_the_trainings(tmp_path, tiny_model):
    run_file = write_run_file(tmp_path, tiny_model)
    folder = tmp_path / "shared" / "c"
    assert run_together(CONTEXT, work, [(run_file, folder)] * 2) == [0, 0]
    lines = lines_of(folder)
    assert {line["status"] for line in lines} == {"finished"}
    # Single tasks, equal, static weights and their trials: each once.
    keys = [line["key"] for line in lines]
    assert len(keys) == len(set(keys)) == 2 * 2 + 2 + 2 + 2
    alone = compare([run_file], "equal", seeds=2, trials=2, output=tmp_path / "alone" / "c")
    assert {line["key"] for line in lines_of(tmp_path / "alone" / "c")} == set(keys)
    shared = json.loads((folder / "compare.json").read_text())
    assert decided(shared) == decided(json.loads((alone.folder / "compare.json").read_text()))
    assert (folder / "compare.html").exists()


def test_what_another_is_training_is_not_removed(tmp_path, tiny_model):
    run_file = write_run_file(tmp_path, tiny_model, tasks=("polarity",))
    compare([run_file], "equal", seeds=1, output=tmp_path / "c")
    with (
        CompareFolder(tmp_path / "c").hold("equal/seed-0"),
        pytest.raises(TrainingError, match=r"a comparison is at work here \(process \d+ on"),
    ):
        compare([run_file], "equal", seeds=1, output=tmp_path / "c", overwrite=True)
    assert len(lines_of(tmp_path / "c")) == 1
