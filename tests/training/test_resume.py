"""A run that was stopped in any way and resumed is the run that was never stopped."""

import json
import resource
import signal

import pytest
from safetensors.torch import load_file

from corpus import write_run
from equipoise.errors import TrainingError
from equipoise.training import train
from strike import strike


def outcome(folder):
    """All that a run decides: weights, metrics, what was logged but for the clock."""
    weights = load_file(folder / "model/backbone/model.safetensors")
    weights |= load_file(folder / "model/task_modules.safetensors")
    log = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    for line in log:
        for clock in ("seconds", "rows_per_second", "tokens_per_second"):
            line.pop(clock, None)
    summary = json.loads((folder / "summary.json").read_text())
    return weights, log, (folder / "metrics.json").read_text(), summary["best_step"]


def assert_same(one, other):
    weights, log, metrics, best = outcome(one)
    others, other_log, other_metrics, other_best = outcome(other)
    assert weights.keys() == others.keys()
    for name, tensor in weights.items():
        assert (tensor == others[name]).all(), name
    assert log == other_log
    assert metrics == other_metrics
    assert best == other_best


@pytest.mark.parametrize(
    ("balance", "options", "step"),
    [
        ("dao", {}, 17),  # in the second epoch
        ("dao", {"gradient_accumulation": 2, "evaluations": 5, "patience": 2}, 7),
        ("uncertainty", {}, 8),
        # Statistics of the labels seen so far instead of those of the training split.
        ({"name": "dao", "task_weights": False}, {"evaluations": 4}, 11),
    ],
)
def test_killed_and_resumed_is_never_killed(tmp_path, tiny_model, balance, options, step):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    whole = write_run(tmp_path / "a", tiny_model, balance=balance, **options)
    killed = write_run(tmp_path / "b", tiny_model, balance=balance, **options)
    train(whole)
    result = strike(killed, step, signal.SIGKILL)
    assert result.exit_code == -signal.SIGKILL, result.stderr
    with pytest.raises(TrainingError, match="holds an unfinished run; go on with --resume"):
        train(killed)
    train(killed, resume=True)
    assert_same(tmp_path / "a" / "run", tmp_path / "b" / "run")


def test_killed_while_saving_goes_on_from_the_checkpoint_before(tmp_path, tiny_model):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    whole, killed = write_run(tmp_path / "a", tiny_model), write_run(tmp_path / "b", tiny_model)
    train(whole)
    steps = json.loads((tmp_path / "a/run/summary.json").read_text())["steps"]
    second = -(-steps * 2 // 3)
    assert strike(killed, second, signal.SIGKILL, "save").exit_code == -signal.SIGKILL
    checkpoints = tmp_path / "b/run/checkpoints"
    assert (checkpoints / f"checkpoint-{second}").exists()
    assert not (checkpoints / f"checkpoint-{second}" / "complete").exists()
    train(killed, resume=True)
    assert_same(tmp_path / "a" / "run", tmp_path / "b" / "run")


def test_the_first_interrupt_saves_and_says_how_to_go_on(tmp_path, tiny_model):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    whole, stopped = write_run(tmp_path / "a", tiny_model), write_run(tmp_path / "b", tiny_model)
    train(whole)
    result = strike(stopped, 4, signal.SIGINT)
    assert result.exit_code == 1
    assert "Stopped at step 5" in result.stderr or "Stopped at step 4" in result.stderr
    assert "--resume" in result.stderr
    assert "Traceback" not in result.stderr
    train(stopped, resume=True)
    assert_same(tmp_path / "a" / "run", tmp_path / "b" / "run")


def test_resuming_on_other_data_is_refused(tmp_path, tiny_model):
    run_file = write_run(tmp_path, tiny_model)
    assert strike(run_file, 12, signal.SIGKILL).exit_code == -signal.SIGKILL
    corpus = tmp_path / "reviews.csv"
    corpus.write_text(corpus.read_text().replace("good", "bad"))
    with pytest.raises(TrainingError, match="the data changed since the run was begun"):
        train(run_file, resume=True)


def test_resuming_what_never_began_begins(tmp_path, tiny_model):
    run_file = write_run(tmp_path, tiny_model, max_steps=2, evaluations=1)
    train(run_file, resume=True)
    assert (tmp_path / "run" / "report.html").exists()


def test_a_full_disk_leaves_the_checkpoint_before_intact(tmp_path, tiny_model, monkeypatch):
    from equipoise.training import trainer

    run_file = write_run(tmp_path, tiny_model)
    mark, limit = trainer.mark_complete, resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    def mark_and_fill_the_disk(checkpoint):
        mark(checkpoint)
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limit[1]))

    monkeypatch.setattr(trainer, "mark_complete", mark_and_fill_the_disk)
    try:
        with pytest.raises(TrainingError, match=r"cannot be written .* previous checkpoint is intact"):
            train(run_file)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, handler)
        monkeypatch.undo()
    checkpoints = tmp_path / "run" / "checkpoints"
    assert [path.parent.name for path in checkpoints.glob("*/complete")] == [
        path.name for path in checkpoints.glob("checkpoint-*")
    ]
    train(run_file, resume=True)
