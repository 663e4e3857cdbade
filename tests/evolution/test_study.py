"""The search that several processes share: its budget, killed workers, going on."""

import os
import signal
import time
from itertools import islice

import pytest
from optuna.trial import TrialState

from children import child_context
from equipoise import locks
from equipoise.errors import TrainingError
from equipoise.evolution.study import Search, smallest_budget
from equipoise.studies import forget, shared_study
from equipoise.studies import open_storage as open_named

RANGES = {"a": (0.0, 1.0), "b": (0.0, 1.0)}
STARTS = [{"a": 0.5, "b": 0.5}, {"a": 0.1, "b": 0.9}]
NAMED = dict(zip(("middle", "corner"), STARTS, strict=True))
_CONTEXT = child_context("equipoise.evolution.study")


def open_storage(given):
    return open_named(given, "merge.storage")


def open_search(file, candidates=20, objectives=("run_score",), **settings):
    settings = {"minutes": None, "seed": 0, **settings}
    return Search(open_storage(str(file)), "search", NAMED, objectives, candidates, ranges=RANGES, **settings)


def score(numbers):
    return 1 - (numbers["a"] - 0.8) ** 2 - (numbers["b"] - 0.2) ** 2


def run(search, seconds=0.0):
    for claim in search.claims():
        time.sleep(seconds)
        claim.report([score(claim.numbers)], by=os.getpid())
    return search


def work(file, seconds):
    run(open_search(file, 24), seconds)


def numbers_of(search):
    return [trial.params for trial in sorted(search.finished, key=lambda trial: trial.number)]


def test_it_starts_from_the_starts_and_improves(tmp_path):
    search = run(open_search(tmp_path / "search.log", 40))
    found = search.finished
    assert [trial.params for trial in found[:2]] == STARTS
    assert len(found) == 40
    # CMA-ES goes around the better start.
    assert max(score(trial.params) for trial in found) > score(STARTS[0]) + 0.1
    near = [trial.params for trial in found[2:6]]
    assert all(abs(one["a"] - 0.5) < 0.5 and abs(one["b"] - 0.5) < 0.5 for one in near)


def test_going_on_is_as_if_never_stopped(tmp_path):
    whole = run(open_search(tmp_path / "whole.log"))
    for count in (1, 6, 1, 12):
        for claim in islice(open_search(tmp_path / "parts.log").claims(), count):
            claim.report([score(claim.numbers)])
    assert numbers_of(open_search(tmp_path / "parts.log")) == numbers_of(whole)


def test_nothing_is_repeated(tmp_path):
    search = run(open_search(tmp_path / "search.log"))
    assert list(open_search(tmp_path / "search.log").claims()) == []
    assert len(search.finished) == 20


def test_a_candidate_is_known_by_its_numbers(tmp_path):
    search = open_search(tmp_path / "search.log", 3)
    first = next(search.claims())
    assert first.known is None
    assert first.should_continue(0, 0.9)
    first.report([1.0], folds=1)
    search.study.enqueue_trial(STARTS[0])
    for claim in search.claims():
        if claim.known is None:
            claim.report([0.5])
        else:
            claim.report_as(claim.known)
    assert numbers_of(search) == [STARTS[0], STARTS[1], STARTS[0]]
    first, _, again = sorted(search.finished, key=lambda trial: trial.number)
    assert (again.values, again.intermediate_values, again.user_attrs["folds"]) == ([1.0], {0: 0.9}, 1)
    assert "start" in first.user_attrs
    assert "start" not in again.user_attrs


@pytest.mark.parametrize("place", ["{}/search.log", "sqlite:///{}/search.db"], ids=["journal", "sqlite"])
def test_two_processes_share_a_search_and_do_not_overshoot(tmp_path, place):
    file = place.format(tmp_path)
    processes = [_CONTEXT.Process(target=work, args=(file, 0.05)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    found = open_search(file).finished
    assert len(found) == 24
    by = [trial.user_attrs["by"] for trial in found]
    assert min(by.count(one) for one in set(by)) >= 4
    assert len(set(by)) == 2
    distinct = {tuple(trial.params.values()) for trial in found}
    assert len(distinct) == 24


def test_a_start_that_two_workers_put_in_is_scored_once(tmp_path):
    search = open_search(tmp_path / "search.log")
    search.study.enqueue_trial(dict(STARTS[0]), user_attrs={"start": "middle"})
    for claim in search.claims():
        claim.report([0.0], fitness=0.0)
    assert len(search.finished) == 20
    assert [trial.user_attrs.get("start") for trial in search.finished].count("middle") == 1


@pytest.mark.parametrize("known", [True, False])
def test_a_start_that_was_killed_at_once_is_not_lost(tmp_path, monkeypatch, known):
    search = open_search(tmp_path / "search.log")
    trial = search.study.ask()
    if known:
        for key, bounds in RANGES.items():
            trial.suggest_float(key, *bounds)
    monkeypatch.setattr(shared_study, "_LOST", -1.0)
    search._release_lost()
    (again,) = [one for one in search.study.get_trials() if one.system_attrs.get("fixed_params") == STARTS[0]]
    assert (again.number, again.state.name) == (0, "WAITING")
    assert again.user_attrs == {"start": "middle"}
    assert numbers_of(run(search))[:2] == STARTS


def claim_and_hang(file):
    for _ in open_search(file, 24).claims():
        time.sleep(60)


def test_what_a_killed_worker_had_claimed_is_done_by_another(tmp_path, capfd):
    file = tmp_path / "search.log"
    process = _CONTEXT.Process(target=claim_and_hang, args=(file,))
    process.start()
    search = open_search(file, 24)
    for _ in range(1200):
        # It signs a candidate before it claims it.
        if any(trial.state is TrialState.RUNNING for trial in search.study.get_trials()):
            break
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    run(search)
    assert STARTS[0] in numbers_of(search)
    assert len(search.finished) == 24
    # Where both open the search at the same moment, a start may be put in twice, and one of them is given up.
    assert {trial.number for trial in search.finished} <= set(range(24 + len(STARTS)))
    assert "candidate 0 (process " in capfd.readouterr().err


class Killed(BaseException):
    """What a kill is to the code that it strikes."""


def dying_storage(file, writes):
    """A storage that is killed at a write."""
    storage = open_storage(str(file))
    append, left = storage._backend.append_logs, iter(range(writes))

    def append_logs(logs):
        if next(left, None) is None:
            raise Killed
        append(logs)

    storage._backend.append_logs = append_logs
    return storage


def score_rest(search):
    """Score what is left of a search, with folds, and return all that is known of each candidate."""
    for claim in search.claims():
        folds = 0
        for fold in range(6):
            folds += 1
            if not claim.should_continue(fold, score(claim.numbers) + 0.001 * fold):
                break
        value = score(claim.numbers)
        claim.report([value] * len(search.objectives), folds=folds)
    return [
        (
            one.number,
            one.params,
            one.values,
            one.intermediate_values,
            one.user_attrs["folds"],
            one.user_attrs.get("start"),
        )
        for one in sorted(search.finished, key=lambda one: one.number)
    ]


@pytest.mark.parametrize("objectives", [("run_score",), ("one", "two")])
def test_killed_at_any_write_it_ends_with_the_same_candidates(tmp_path, objectives):
    whole = score_rest(open_search(tmp_path / "whole.log", 14, objectives))
    assert len(whole) == 14
    # From the first write on, through all that a candidate of a later generation writes.
    for writes in (*range(1, 40), 43, 47, 1000):
        try:
            search = Search(
                dying_storage(tmp_path / "killed.log", writes), "search", NAMED, objectives, 14, None, 0, RANGES
            )
            found = score_rest(search)
        except Killed:
            continue
    assert found == whole


def test_a_line_that_was_written_in_part_is_cut_off(tmp_path):
    file = tmp_path / "search.log"
    for claim in islice(open_search(file).claims(), 2):
        claim.report([score(claim.numbers)])
    with file.open("a") as journal:
        journal.write('{"op_code":4,"wor')
    assert len(run(open_search(file)).finished) == 20


def test_a_lock_of_optuna_that_was_moved_does_not_hang(tmp_path):
    file = tmp_path / "search.log"
    (tmp_path / "search.log.lock").symlink_to(tmp_path / "before" / "search.log")
    assert len(run(open_search(file)).finished) == 20


def test_a_worker_elsewhere_is_waited_for_with_a_message(tmp_path, monkeypatch, capfd):
    file = tmp_path / "search.log"
    monkeypatch.setattr(shared_study, "this_process", lambda: {"host": "elsewhere", "process": 7})
    claims = open_search(file, 3).claims()
    next(claims)
    monkeypatch.undo()
    monkeypatch.setattr(shared_study, "_LOST", 4.0)
    monkeypatch.setattr(locks, "_SILENT", 0.5)
    assert len(run(open_search(file, 3)).finished) == 3
    err = capfd.readouterr().err
    assert "Search search: waits for candidate 0 (process 7 on elsewhere)." in err
    assert "candidate 0 (process 7 on elsewhere) has ended without a score" in err


def test_a_budget_in_minutes(tmp_path, monkeypatch):
    monkeypatch.setattr(shared_study, "seconds_of", lambda trial: 1.0)
    assert len(run(open_search(tmp_path / "search.log", 1000, minutes=0.1)).finished) == 6


def test_a_race_is_left_by_a_signed_rank_test(tmp_path):
    search = open_search(tmp_path / "search.log", 2)
    first, second = search.claims(), None
    claim = next(first)
    assert all(claim.should_continue(fold, 0.5 + 0.01 * fold) for fold in range(6))
    claim.report([0.5])
    second = next(first)
    # Worse on every fold: with four of them that is unlikely enough.
    assert [second.should_continue(fold, 0.4 + 0.01 * fold) for fold in range(4)] == [True, True, True, False]
    second.report([0.4])


def test_several_objectives(tmp_path):
    search = open_search(tmp_path / "search.log", 20, objectives=("one", "two"))
    for claim in search.claims():
        assert claim.should_continue(0, 0.0)
        claim.report([claim.numbers["a"], 1 - claim.numbers["a"]])
    assert len(search.finished) == 20
    assert all(len(trial.values) == 2 for trial in search.finished)


def test_a_database_does_as_well_and_can_be_emptied(tmp_path):
    url = f"sqlite:///{tmp_path}/search.db"
    run(open_search(url, 8))
    storage = open_storage(url)
    forget(storage, "search")
    forget(storage, "search")
    assert open_search(url, 8).finished == []


@pytest.mark.parametrize(
    "given", ["postgres://nowhere/x", "sqlite:////nowhere/at/all/search.db", "/nowhere/at/all/x.log"]
)
def test_a_storage_that_cannot_be_reached_is_told(given):
    with pytest.raises(TrainingError, match=r"merge\.storage: '.*' cannot be reached .*expected an Optuna storage URL"):
        open_storage(given)


def test_a_password_is_not_told():
    with pytest.raises(TrainingError, match=r"'postgres://me:\*\*\*@nowhere/x' cannot be reached") as told:
        open_storage("postgres://me:se@cret@nowhere/x")
    assert "cret" not in str(told.value)


def test_the_smallest_budget():
    assert [smallest_budget(count, 2) for count in (2, 3, 8)] == [8, 9, 12]
