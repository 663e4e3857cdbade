"""The script that kills commands compares what it says, and finds what a kill changes."""

import json
import os
import signal
from pathlib import Path

import pytest

from equipoise.starter import STARTERS

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def kills(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    before = dict(os.environ)
    import kill_and_resume

    yield kill_and_resume
    # What the script sets is not for other tests.
    STARTERS.pop("toy", None)
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def place(kills, tmp_path):
    place = kills.Place(tmp_path.resolve())
    place.reset(None)
    return place


def test_contents_leave_out_times_but_nothing_else(kills, place):
    file = place.now / "summary.json"
    file.write_text('{"steps": 3, "seconds": 1.5, "parts": [{"peak_memory_mb": 8}]}')
    (place.now / "report.html").write_text("at 12:00")
    found = place.contents()
    file.write_text('{"steps": 3, "seconds": 1.6, "parts": [{"peak_memory_mb": 9}]}')
    (place.now / "report.html").write_text("at 12:01")
    assert place.contents() == found
    (place.temporary / "left").write_text("")
    assert place.contents().keys() - found.keys() == {"tmp/left"}
    file.write_text('{"steps": 4, "seconds": 1.5, "parts": [{"peak_memory_mb": 8}]}')
    assert place.contents()["now/summary.json"] != found["now/summary.json"]


def test_a_fork_is_killed_before_a_change_or_after_a_time(kills, place):
    def write():
        for number in range(5):
            (place.now / str(number)).write_text("")

    def start(after=None, at=None, action=write):
        changes = kills.Changes(place.folder, at)
        log = place.folder / "log.txt"
        return kills.in_fork(action, log, place.temporary, after, changes)[0], changes.count

    assert start() == (0, 5)
    place.reset(None)
    assert start(at=3) == (-signal.SIGKILL, 3)
    assert sorted(path.name for path in place.now.iterdir()) == ["0", "1", "2"]
    assert start(after=0.2, action=signal.pause) == (-signal.SIGKILL, 0)


class Careless:
    """A command that leaves a file behind and counts its calls, as no command may."""

    def __init__(self, place):
        self.place = place

    def __call__(self):
        now = self.place.now
        (now / f"{len(list(now.iterdir()))}.tmp").write_text("")
        (now / "result").write_text(str(len(list(now.iterdir()))))


def test_what_a_kill_changes_is_found(kills, place, monkeypatch):
    monkeypatch.setattr(kills.Place, "cases", lambda place: {"train": kills.Case((), ())})
    monkeypatch.setattr(kills, "run_command", Careless(place))
    one = kills.Kills(place, "train")
    one.uninterrupted()
    # Before its second change: the first file is there, and the next call leaves another.
    monkeypatch.setattr(kills.random.Random, "randrange", lambda draw, stop: 1)
    cell = one.kill(0)
    assert cell["struck"]
    assert (cell["different"], cell["left"], cell["missing"]) == (["now/result"], ["now/1.tmp"], [])
    assert not kills.is_identical(cell)
    assert kills.summarize([cell]) == {"kills": 1, "struck": 1, "identical": 0, "left_behind": ["now/1.tmp"]}


def test_a_command_that_is_killed_ends_as_if_it_was_not(kills, tmp_path, capsys):
    kills.main(["--quick", "--commands", "fetch", "--output", str(tmp_path / "kills.jsonl")])
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert result["commands"]["fetch"] == {"kills": 2, "struck": 2, "identical": 2, "left_behind": []}
    assert len((tmp_path / "kills.jsonl").read_text().splitlines()) == 2
