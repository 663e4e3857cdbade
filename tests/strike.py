"""Training in a process of its own that a signal strikes at a chosen moment."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from children import child_context
from equipoise.cli import main
from equipoise.training import callbacks, trainer

_CONTEXT = child_context("equipoise.cli", "equipoise.training", "equipoise.reporting", "equipoise.experts")


class Struck(NamedTuple):
    """How the process ended."""

    exit_code: int | None
    stderr: str


def strike(
    run_file: Path,
    step: int,
    number: int,
    moment: str = "log",
    seconds: float = 120,
    command: str = "train",
    options: Sequence[str] = (),
) -> Struck:
    """Run `equipoise train`, or another command, and send it a signal at a step.

    Args:
        run_file: the run file.
        step: the step.
        number: the signal.
        moment: "log", after the step's log line; "saving" or "saved", before or after its checkpoint is complete.
        seconds: time limit.
        command: what is run.
        options: what stands behind the run file.
    """
    errors = run_file.with_suffix(".stderr")
    process = _CONTEXT.Process(
        target=_train_and_be_struck, args=([command, str(run_file), *options], step, number, moment, errors)
    )
    process.start()
    process.join(seconds)
    process.kill()
    process.join()
    return Struck(process.exitcode, errors.read_text())


def _train_and_be_struck(arguments: list[str], step: int, number: int, moment: str, errors: Path) -> None:
    log, mark = callbacks.RunLog.on_log, trainer.mark_complete

    def on_log(self, args, state, control, logs=None, **more):
        log(self, args, state, control, logs=logs, **more)
        if moment == "log" and state.global_step == step and "grad_norm" in logs:
            os.kill(os.getpid(), number)

    def mark_complete(checkpoint):
        if moment == "saving" and checkpoint.name == f"checkpoint-{step}":
            os.kill(os.getpid(), number)
        mark(checkpoint)
        if moment == "saved" and checkpoint.name == f"checkpoint-{step}":
            os.kill(os.getpid(), number)

    callbacks.RunLog.on_log, trainer.mark_complete = on_log, mark_complete
    sys.argv = ["equipoise", *arguments]
    with errors.open("w") as sys.stderr:
        main()
