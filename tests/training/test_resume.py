"""A run that was stopped in any way and resumed is the run that was never stopped."""

import resource
import signal

import pytest

from corpus import write_run
from equipoise.errors import TrainingError
from equipoise.training import train, trainer
from equipoise.training.callbacks import RunLog
from outcomes import assert_same
from strike import strike


@pytest.fixture(scope="module")
def whole(tmp_path_factory, tiny_model):
    """The folder of a run that nothing stopped: 32 steps, 16 an epoch, checkpoints at 11, 22 and 32."""
    folder = tmp_path_factory.mktemp("whole")
    return train(write_run(folder, tiny_model)).folder


def test_killed_in_the_second_epoch(tmp_path, tiny_model, whole):
    run_file = write_run(tmp_path, tiny_model)
    result = strike(run_file, 25, signal.SIGKILL)
    assert result.exit_code == -signal.SIGKILL, result.stderr
    with pytest.raises(TrainingError, match="holds an unfinished run; go on with --resume"):
        train(run_file)
    train(run_file, resume=True)
    assert_same(whole, tmp_path / "run")


@pytest.mark.parametrize(
    ("balance", "options", "step"),
    [
        ("dao", {"gradient_accumulation": 2, "evaluations": 5}, 7),
        ("uncertainty", {"precision": "bf16"}, 14),
        # Nothing gets better: patience, half used up when the run is killed, runs out after it is resumed.
        ("dao", {"learning_rate": 1e-12, "head_learning_rate": 1e-12, "evaluations": 8, "patience": 2}, 10),
    ],
)
def test_killed_with_more_to_remember(tmp_path, tiny_model, balance, options, step):
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    train(write_run(tmp_path / "whole", tiny_model, balance=balance, **options))
    run_file = write_run(tmp_path / "killed", tiny_model, balance=balance, **options)
    assert strike(run_file, step, signal.SIGKILL).exit_code == -signal.SIGKILL
    train(run_file, resume=True)
    assert_same(tmp_path / "whole" / "run", tmp_path / "killed" / "run")


def test_killed_while_saving_goes_on_from_the_checkpoint_before(tmp_path, tiny_model, whole):
    run_file = write_run(tmp_path, tiny_model)
    assert strike(run_file, 22, signal.SIGKILL, "saving").exit_code == -signal.SIGKILL
    checkpoints = tmp_path / "run" / "checkpoints"
    assert (checkpoints / "checkpoint-22" / "model.safetensors").exists()
    assert [path.parent.name for path in checkpoints.glob("*/complete")] == ["checkpoint-11"]
    train(run_file, resume=True)
    assert_same(whole, tmp_path / "run")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_stopped_after_the_last_step_trains_no_further(tmp_path, tiny_model, number):
    for name in ("whole", "stopped"):
        (tmp_path / name).mkdir()
    options = {"max_steps": 5, "evaluations": 1, "schedule": "constant"}  # inside an epoch
    train(write_run(tmp_path / "whole", tiny_model, **options))
    run_file = write_run(tmp_path / "stopped", tiny_model, **options)
    result = strike(run_file, 5, number, "saved")
    # Ctrl-C so late changes nothing: the run is evaluated and finished.
    assert result.exit_code == (0 if number == signal.SIGINT else -signal.SIGKILL), result.stderr
    train(run_file, resume=True)
    assert_same(tmp_path / "whole" / "run", tmp_path / "stopped" / "run")


def test_the_first_interrupt_saves_and_says_how_to_go_on(tmp_path, tiny_model, whole):
    run_file = write_run(tmp_path, tiny_model)
    result = strike(run_file, 4, signal.SIGINT)
    assert result.exit_code == 1
    assert "Stopped at step 5 of 32; a checkpoint is saved. Continue with --resume" in result.stderr
    assert "Traceback" not in result.stderr
    train(run_file, resume=True)
    assert_same(whole, tmp_path / "run")


def stop_at(monkeypatch, step):
    """Let training break off at a step, as by a bug."""
    log = RunLog.on_log

    def on_log(self, args, state, control, logs=None, **more):
        if state.global_step == step:
            raise RuntimeError("struck")
        log(self, args, state, control, logs=logs, **more)

    monkeypatch.setattr(RunLog, "on_log", on_log)


def test_resuming_on_other_data_is_refused(tmp_path, tiny_model, monkeypatch):
    run_file = write_run(tmp_path, tiny_model)
    stop_at(monkeypatch, 12)
    with pytest.raises(RuntimeError, match="struck"):
        train(run_file)
    monkeypatch.undo()
    corpus = tmp_path / "reviews.csv"
    corpus.write_text(corpus.read_text().replace("good", "bad"))
    with pytest.raises(TrainingError, match="the data changed since the run was started"):
        train(run_file, resume=True)


def test_resuming_what_never_began_begins(tmp_path, tiny_model):
    run_file = write_run(tmp_path, tiny_model, max_steps=2, evaluations=1)
    train(run_file, resume=True)
    assert (tmp_path / "run" / "report.html").exists()


def test_a_full_disk_leaves_the_checkpoint_before_intact(tmp_path, tiny_model, monkeypatch, whole):
    run_file = write_run(tmp_path, tiny_model)
    mark, limit = trainer.mark_complete, resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    def mark_and_fill_the_disk(checkpoint):
        mark(checkpoint)
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limit[1]))

    monkeypatch.setattr(trainer, "mark_complete", mark_and_fill_the_disk)
    try:
        with pytest.raises(TrainingError, match=r"cannot be written .* Earlier checkpoints are intact"):
            train(run_file)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, handler)
        monkeypatch.undo()
    assert [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()] == ["checkpoint-11"]
    train(run_file, resume=True)
    assert_same(whole, tmp_path / "run")


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("optimizer.pt", None, "optimizer.pt: found no such file"),
        ("optimizer.pt", 100, "optimizer.pt: found content with digest"),
        ("optimizer.pt", "zeros", "optimizer.pt: .*: the checkpoint is damaged"),
        ("model.safetensors", "zeros", "model.safetensors: .*: the checkpoint is damaged"),
        ("complete", 0, "complete: found no list of files"),
    ],
)
def test_a_damaged_checkpoint_is_named(tmp_path, tiny_model, monkeypatch, file, content, message):
    run_file = write_run(tmp_path, tiny_model)
    stop_at(monkeypatch, 12)
    with pytest.raises(RuntimeError, match="struck"):
        train(run_file)
    monkeypatch.undo()
    path = tmp_path / "run" / "checkpoints" / "checkpoint-11" / file
    whole = path.read_bytes()
    path.unlink()
    if content is not None:
        path.write_bytes(bytes(len(whole)) if content == "zeros" else whole[:content])
    with pytest.raises(TrainingError, match=message):
        train(run_file, resume=True)


def test_two_runs_do_not_mix_in_one_folder(tmp_path, tiny_model, monkeypatch):
    run_file = write_run(tmp_path, tiny_model, max_steps=4, evaluations=1)
    answers = []
    log = RunLog.on_log

    def on_log(self, args, state, control, logs=None, **more):
        if not answers:
            with pytest.raises(TrainingError) as refused:
                train(run_file, overwrite=True)
            answers.append(str(refused.value))
        log(self, args, state, control, logs=logs, **more)

    monkeypatch.setattr(RunLog, "on_log", on_log)
    train(run_file)
    assert "another run is writing here" in answers[0]
    assert (tmp_path / "run" / "report.html").exists()
