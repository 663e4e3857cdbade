"""Locks that a living process holds, and what is left of them when it is killed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from equipoise import locks, owners
from equipoise.errors import TrainingError
from equipoise.locks import LockedError, hold
from equipoise.owners import has_ended, is_this_process, this_process
from equipoise.workspace import lock_folder

HOLD = """
import sys, time
from pathlib import Path
from equipoise.locks import hold
with hold(Path(sys.argv[1]), "the folder"):
    print("ready", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def start_holding(file, seconds=60.0):
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(file), str(seconds)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    return process


def test_a_living_process_keeps_a_lock_and_is_named_and_a_killed_one_does_not(tmp_path, capsys):
    process = start_holding(tmp_path / ".lock")
    try:
        with pytest.raises(LockedError, match=f"the folder: process {process.pid} on .* is writing here"):
            hold(tmp_path / ".lock", "the folder").__enter__()
        with pytest.raises(
            TrainingError, match=rf"another run is writing here \(process {process.pid} on .*\); wait for it, or"
        ):
            lock_folder(tmp_path).__enter__()
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    # It may be moved meanwhile.
    shutil.copytree(tmp_path, tmp_path.with_name(f"{tmp_path.name}-moved"))
    for folder in (tmp_path, tmp_path.with_name(f"{tmp_path.name}-moved")):
        with lock_folder(folder):
            assert f"process {process.pid} on " in (told := capsys.readouterr().err)
            assert "has ended and left a lock behind; continuing" in told
        assert list(folder.iterdir()) == []
        with lock_folder(folder):
            assert capsys.readouterr().err == ""


def test_who_waits_says_for_whom(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(locks, "_SILENT", 0.2)
    process = start_holding(tmp_path / "cell.lock", 1.5)
    began = time.monotonic()
    with hold(tmp_path / "cell.lock", "the cell", wait=True):
        assert time.monotonic() - began < 30
    process.wait()
    assert f"the cell: waits for process {process.pid} on " in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError, match=r"file: the folder cannot be made \(File exists\); choose"):
        lock_folder(tmp_path / "file").__enter__()
    (tmp_path / ".lock").symlink_to(tmp_path / "nowhere")
    with pytest.raises(TrainingError, match=r"\.lock: the lock cannot be taken"):
        lock_folder(tmp_path).__enter__()


def test_a_process_is_known_by_more_than_its_number(monkeypatch):
    mine = json.loads(json.dumps(this_process()))
    assert is_this_process(mine)
    assert not has_ended(mine)
    # The number is another process's now: after a reboot, or in a container.
    assert has_ended({**mine, "started": -1})
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert has_ended({**mine, "process": child.pid})
    assert not has_ended({**mine, "host": "elsewhere", "process": child.pid})
    assert not has_ended({**mine, "system": "another boot", "process": child.pid})
    assert not owners.is_this_process({**mine, "process": os.getppid()})
