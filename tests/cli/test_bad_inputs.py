"""Whatever is wrong with an input, the command ends soon, with one short message, and leaves everything as it was."""

import io
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from unittest import mock

import pytest

from bad_inputs import CASES, Case, World
from equipoise.cli import main

SECONDS = 60


@pytest.fixture(scope="module")
def trained(tmp_path_factory, tiny_model):
    from equipoise.training import train

    world = World(tmp_path_factory.mktemp("trained"), tiny_model, Path())
    world.make()
    return train(world.folder / "run.yaml").folder


@pytest.fixture
def world(tmp_path, tiny_model, trained, monkeypatch):
    made = World(tmp_path, tiny_model, trained)
    made.make()
    monkeypatch.chdir(tmp_path)
    # A command may set variables for its process.
    with mock.patch.dict(os.environ):
        yield made


def listing(*folders):
    """Every file with its size and time of change; every folder."""
    found = {}
    for folder in folders:
        for path in folder.rglob("*"):
            status = path.lstat()
            found[str(path)] = status.st_mode, status.st_size * path.is_file(), status.st_mtime_ns * path.is_file()
    return found


def call(command, stdin, monkeypatch, capsys):
    """Run the command in this process; return exit code and both streams."""

    def too_late(*_):
        raise AssertionError(f"not finished after {SECONDS} s")

    monkeypatch.setattr(sys, "argv", ["equipoise", *command])
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
    before = signal.signal(signal.SIGALRM, too_late)
    signal.alarm(SECONDS)
    try:
        with pytest.raises(SystemExit) as ended:
            main()
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    return ended.value.code, *capsys.readouterr()


def check_message(case, code, out, err):
    kind = "usage: " if case.code == 2 else "error: "
    assert code == case.code, err
    assert out == ""
    assert "Traceback" not in err
    lines = err.splitlines()
    (start,) = [number for number, line in enumerate(lines) if line.startswith(("error: ", "usage: "))]
    message = "\n".join(lines[start:])
    assert message.startswith(kind)
    assert len(message) <= 500
    assert message.replace("\n", "").isprintable()
    assert case.words in message


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.area}: {case.name}")
def test_a_bad_input_is_one_short_message_and_changes_nothing(case: Case, world, monkeypatch, capsys):
    case.prepare(world)
    capsys.readouterr()
    before = listing(world.folder, world.trained)
    command = [str(world.trained) if part == "RUN" else part for part in case.command]
    check_message(case, *call(command, case.stdin, monkeypatch, capsys))
    assert listing(world.folder, world.trained) == before


def test_the_table_is_large_and_says_everything_once(capsys):
    counts = Counter(case.area for case in CASES)
    with capsys.disabled():
        print(f"\n{len(CASES)} bad inputs: " + ", ".join(f"{area} {count}" for area, count in counts.items()))
    assert len(CASES) >= 120
    assert len({(case.area, case.name) for case in CASES}) == len(CASES)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_standard_output_is_named(trained, tmp_path):
    started = [sys.executable, "-m", "equipoise", "predict", str(trained), "good", "--task", "polarity"]
    with open("/dev/full", "wb") as full:
        ended = subprocess.run(started, stdout=full, stderr=subprocess.PIPE, timeout=SECONDS, cwd=tmp_path, check=False)
    assert ended.returncode == 1
    assert ended.stderr.decode().splitlines()[-1].startswith("error: standard output: cannot be written (No space left")


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        ([b"train", b"pipe.yaml"], 2, "usage: pipe.yaml: found a pipe"),
        ([b"caf\xe9\x1b"], 2, "usage: No such command 'caf\\udce9\\x1b'"),
    ],
)
def test_in_a_process_of_its_own(command, code, words, tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    environment = {**os.environ, "COLUMNS": "40"}
    started = [sys.executable.encode(), b"-m", b"equipoise", *command]
    ended = subprocess.run(started, capture_output=True, timeout=SECONDS, cwd=tmp_path, env=environment, check=False)
    assert ended.returncode == code
    assert ended.stdout == b""
    assert ended.stderr.decode().startswith(words)
    assert ended.stderr.count(b"\n") == 1
    assert len(ended.stderr.decode()) <= 500
