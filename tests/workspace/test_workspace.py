"""Work that is stopped and continued: the journal, what continues, and what is refused."""

import pytest

from corpus import run_data
from equipoise.config import make_config
from equipoise.errors import TrainingError
from equipoise.files import starts_with
from equipoise.workspace import (
    CONFIG,
    CONTINUE,
    DATA,
    Journal,
    RunFileWorkspace,
    StoppedError,
    WorkKind,
    explain_stop,
    run_file_output,
)

HEADER = "# a piece of work\n"
READ = {"fingerprint": "one", "rows": {"train": 3}, "base": {"model": "1"}}


@pytest.fixture
def workspace(tmp_path):
    output = run_file_output("work", HEADER, lambda folder: [])

    def contents(folder):
        return [folder / "finished", folder / CONFIG]

    (tmp_path / "work").mkdir()
    return RunFileWorkspace(tmp_path / "work", WorkKind("the work", output, contents, HEADER, free="output"))


@pytest.fixture
def config(tmp_path):
    return make_config(run_data(tmp_path, "bilstm"))


def test_of_a_cell_the_last_line_counts_and_a_torn_one_is_ignored(tmp_path):
    journal = Journal(tmp_path / "cells.jsonl", "cell")
    assert journal.read() == {}
    for value in (1, 2):
        journal.append({"cell": "a", "value": value})
    journal.append({"cell": None, "value": 3})
    with journal.path.open("a", encoding="utf-8") as file:
        file.write('{"cell": "b", "val')
    assert {cell: record["value"] for cell, record in journal.read().items()} == {"a": 2, None: 3}
    journal.append({"cell": "c", "value": 4})
    assert len(journal.path.read_text().splitlines()) == 4
    assert list(journal.read()) == ["a", None, "c"]


@pytest.mark.parametrize("line", ['{"name": "a"}', "3"])
def test_a_journal_of_another_version_is_refused(tmp_path, line):
    (tmp_path / "cells.jsonl").write_text(line + "\n")
    with pytest.raises(
        TrainingError, match=r"cells\.jsonl: found a line without 'cell', .* start from scratch with --ov"
    ):
        Journal(tmp_path / "cells.jsonl", "cell").read()


def test_the_same_work_continues_and_other_work_is_refused(workspace, config):
    workspace.start(config, READ)
    assert starts_with(workspace.path / CONFIG, HEADER)
    workspace.start(config.model_copy(update={"output": workspace.path}), {**READ, "notes": ["new"]})
    assert workspace.read_data() == READ
    with pytest.raises(
        TrainingError, match=r"the work was started with other settings \(max_length: 32 there, 7 now\)"
    ):
        workspace.start(config.model_copy(update={"max_length": 7}), READ)
    with pytest.raises(TrainingError, match=r"the data changed since the work was started .* put the files back"):
        workspace.start(config, {**READ, "fingerprint": "other"})
    with pytest.raises(TrainingError, match=r"the model changed since the work was started \(other content: model\)"):
        workspace.start(config, {**READ, "base": {"model": "2"}})


def test_restarting_removes_what_the_work_has_written_and_nothing_else(workspace, config):
    workspace.start(config, READ)
    (workspace.path / DATA).unlink()
    for name in ("finished", "mine"):
        (workspace.path / name).write_text("")
    workspace.start(config.model_copy(update={"max_length": 7}), READ, restart=True)
    assert sorted(path.name for path in workspace.path.iterdir()) == [CONFIG, DATA, "mine"]


def test_who_stops_a_command_is_told_how_it_continues():
    with pytest.raises(TrainingError, match=f"^Stopped. {CONTINUE}$"), explain_stop():
        raise KeyboardInterrupt
    stopped = StoppedError("Stopped at step 1 of 2", "Continue with --resume.")
    assert str(stopped) == "Stopped at step 1 of 2; a checkpoint is saved. Continue with --resume."
    with pytest.raises(TrainingError) as caught, explain_stop():
        raise stopped
    assert str(caught.value) == f"Stopped at step 1 of 2; a checkpoint is saved. {CONTINUE}"
