"""What killed commands leave behind is found by the next one, put back or removed, and nothing else is touched."""

import os
import signal
import subprocess
import sys
from contextlib import suppress

import pytest

from equipoise import files, temporaries
from equipoise.files import replace_folder, write_text
from equipoise.temporaries import clean_leftovers, clean_leftovers_in, remove_folder

TOKEN = "12-0123abcd"


class Killed(BaseException):
    """Ends a block as a kill does: what stands behind is not run."""


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def killed_while(code, folder):
    """Run Python in a process of its own that prints a line when it is ready, and kill it then."""
    process = subprocess.Popen([sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    found = names(folder)
    # While it lives, nothing of it is a leftover.
    clean_leftovers_in(folder)
    assert names(folder) == found
    process.send_signal(signal.SIGKILL)
    process.wait()
    return found


FOLDER = """
import sys, time
from pathlib import Path
from equipoise.files import replace_folder
with replace_folder(Path(sys.argv[1], "model")) as new:
    (new / "weights").write_text("half")
    print("ready", flush=True)
    time.sleep(60)
"""
FILE = """
import os, sys, time
from pathlib import Path
from equipoise import files
def rename(*names):
    print("ready", flush=True)
    time.sleep(60)
os.replace = rename
files.write_text(Path(sys.argv[1], "answers.jsonl"), "half")
"""


@pytest.mark.parametrize(
    ("code", "again"),
    [
        (FOLDER, lambda folder: clean_leftovers(folder / "model")),
        (FILE, lambda folder: write_text(folder / "answers.jsonl", "whole")),
    ],
)
def test_what_a_killed_process_has_left_is_removed(tmp_path, code, again):
    (tmp_path / ".answers.jsonl.mine").write_text("")
    (left,) = set(killed_while(code, tmp_path)) - {".answers.jsonl.mine"}
    assert left.startswith((".model.new.", ".answers.jsonl.tmp."))
    again(tmp_path)
    assert set(names(tmp_path)) <= {".answers.jsonl.mine", "answers.jsonl"}


@pytest.mark.parametrize("moment", [1, 2, 3])
def test_a_folder_is_there_whenever_its_replacement_is_killed(tmp_path, monkeypatch, capsys, moment):
    folder = tmp_path / "model"
    with replace_folder(folder) as new:
        (new / "weights").write_text("old")
    rename, renames = os.replace, []

    def replace(source, target):
        renames.append(target)
        if len(renames) == moment:
            raise Killed
        rename(source, target)

    monkeypatch.setattr(os, "replace", replace)
    monkeypatch.setattr(temporaries, "_remove", lambda path: None)
    try:
        with replace_folder(folder) as new:
            (new / "weights").write_text("new")
    except Killed:
        pass
    monkeypatch.undo()
    assert len(names(tmp_path)) > 1
    clean_leftovers(folder)
    assert names(tmp_path) == ["model"]
    assert (folder / "weights").read_text() == ("new" if moment == 3 else "old")
    assert ("put back" in capsys.readouterr().err) == (moment == 2)


def test_a_folder_made_since_is_left_alone_and_so_is_what_it_would_have_replaced(tmp_path):
    (tmp_path / f".model.old.{TOKEN}" / "model").mkdir(parents=True)
    (tmp_path / f".model.new.{TOKEN}").mkdir()
    (tmp_path / "model").mkdir()
    clean_leftovers(tmp_path / "model")
    assert len(names(tmp_path)) == 3


def test_only_our_names_of_the_right_sort_are_removed(tmp_path):
    for name in (f".model.tmp.{TOKEN}", ".model.new", ".model.new.12", f"model.new.{TOKEN}", f".model.newer.{TOKEN}"):
        (tmp_path / name).mkdir()
    (tmp_path / f".model.new.{TOKEN}").write_text("a file")
    (tmp_path / f".link.new.{TOKEN}").symlink_to(tmp_path / ".model.new")
    (tmp_path / f".other.new.{TOKEN}").mkdir()
    clean_leftovers(tmp_path / "model")
    assert len(names(tmp_path)) == 8
    clean_leftovers_in(tmp_path)
    assert len(names(tmp_path)) == 7
    assert f".other.new.{TOKEN}" not in names(tmp_path)


def test_a_folder_is_removed_at_once(tmp_path, monkeypatch):
    folder = tmp_path / "runs"
    (folder / "deep").mkdir(parents=True)
    monkeypatch.setattr(temporaries.shutil, "rmtree", lambda *path, **options: None)
    remove_folder(folder)
    assert not folder.exists()
    monkeypatch.undo()
    clean_leftovers(folder)
    assert names(tmp_path) == []
    remove_folder(folder)


def test_an_error_leaves_nothing(tmp_path):
    with suppress(KeyError), replace_folder(tmp_path / "model") as new:
        (new / "weights").write_text("half")
        raise KeyError
    assert names(tmp_path) == []


def test_a_folder_within_its_own_replacement_is_written_in_place(tmp_path):
    with replace_folder(tmp_path / "merged") as outer:
        with replace_folder(outer) as inner:
            (inner / "weights").write_text("new")
        # It is still locked: no other process takes it for a leftover.
        clean_leftovers(tmp_path / "merged")
        assert names(tmp_path) == [outer.name]
        (outer / "merge.json").write_text("{}")
    assert names(tmp_path / "merged") == ["merge.json", "weights"]


def test_modes_follow_the_umask(tmp_path):
    before = os.umask(0o077)
    try:
        with replace_folder(tmp_path / "model"):
            pass
        files.write_text(tmp_path / "file", "")
    finally:
        os.umask(before)
    assert (tmp_path / "model").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600


def test_without_locks_nothing_is_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(temporaries, "fcntl", None)
    (tmp_path / f".model.new.{TOKEN}").mkdir()
    with replace_folder(tmp_path / "model"):
        pass
    assert names(tmp_path) == [f".model.new.{TOKEN}", "model"]
