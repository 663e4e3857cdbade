"""What happens around a training step."""

import json
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import EarlyStoppingCallback, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from equipoise.balancing import Balancer
from equipoise.data import EpochSampler
from equipoise.files import to_json, write_text
from equipoise.progress import Progress

from .memory import peak_memory_mb
from .processes import in_any


class SetEpoch(TrainerCallback):
    """Tells the sampler the epoch; in a resumed epoch of several processes nobody else does."""

    def __init__(self, sampler: EpochSampler) -> None:
        self.sampler = sampler

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Choose the epoch's order."""
        self.sampler.set_epoch(int(state.epoch or 0))


class ScoreOnSchedule(TrainerCallback):
    """Scores dev and saves a checkpoint a fixed number of times, evenly spread, the last at the end.

    Args:
        evaluations: how often.
    """

    def __init__(self, evaluations: int) -> None:
        self.evaluations = evaluations

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Ask for a scoring and a checkpoint where one is due."""
        total, count = state.max_steps, min(self.evaluations, state.max_steps)
        # Step s is due when it is the first to reach the next k/count of the total.
        due = state.global_step * count // total > (state.global_step - 1) * count // total
        if due:
            # What is not logged by now, a run that is resumed would not know of.
            control.should_log = True
            control.should_evaluate = True
            control.should_save = True


class Patience(EarlyStoppingCallback):
    """Stops when dev has not got better for a number of scorings."""

    def on_train_begin(self, *args: Any, **kwargs: Any) -> None:
        """Leave out the check for the trainer's own schedule: dev is scored by `ScoreOnSchedule`."""


class StopOnSignal(TrainerCallback):
    """Turns the first Ctrl-C (or SIGTERM) into a saved checkpoint; the second stops at once."""

    def __init__(self) -> None:
        self.asked = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take the signals over for the time of a block; outside the main thread nothing is changed."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

        def ask(number: int, frame: Any) -> None:
            self.asked = True
            print("Finishing this step, then saving; Ctrl-C again stops at once.", file=sys.stderr, flush=True)
            # From here on a further signal does what it always did.
            signal.signal(number, before[signal.Signals(number)])

        for number in before:
            signal.signal(number, ask)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Save and stop when asked to, all processes at the same step."""
        if in_any(self.asked):
            control.should_log = True
            control.should_save = True
            control.should_training_stop = True


class RunLog(TrainerCallback):
    """Writes `log.jsonl`: one line a step, or every so many steps, and one a scoring of dev.

    Args:
        path: the file.
        balancer: whose weights are logged.
    """

    def __init__(self, path: Path, balancer: Balancer) -> None:
        self.path = path
        self.balancer = balancer
        self.rows = self.tokens = 0.0
        """Those since the last line, over all processes."""
        self.curriculum: dict[str, float] | None = None
        """What the step has met of the curriculum, where there is one."""
        self._last = 0.0
        self._step = 0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Forget lines that a killed run wrote after its last checkpoint."""
        if self.path.exists():
            lines = self.path.read_text(encoding="utf-8").splitlines(keepends=True)
            write_text(self.path, "".join(line for line in lines if _step(line) <= state.global_step))
        self._last = time.monotonic()
        self._step = state.global_step

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Write one line."""
        logs = logs or {}
        scores = {key.removeprefix("eval_"): value for key, value in logs.items() if key.startswith("eval_")}
        if scores:
            self._write({"step": state.global_step, "dev": scores})
        elif "grad_norm" in logs:
            now = time.monotonic()
            seconds, self._last = now - self._last, now
            steps, self._step = state.global_step - self._step, state.global_step
            means = {key.removeprefix("weight/"): logs[key] for key in logs if key.startswith("weight/")}
            self._write(
                {
                    "step": state.global_step,
                    "epoch": round(state.epoch or 0.0, 4),
                    "loss": logs["loss"],
                    "losses": {key.removeprefix("loss/"): logs[key] for key in logs if key.startswith("loss/")},
                    "weights": {**self.balancer.weights, **means},
                    "learning_rate": logs["learning_rate"],
                    "grad_norm": logs["grad_norm"],
                    **({} if self.curriculum is None else {"curriculum": self.curriculum}),
                    **({"steps": steps} if steps > 1 else {}),
                    "seconds": round(seconds, 4),
                    "rows_per_second": round(self.rows / seconds, 2),
                    "tokens_per_second": round(self.tokens / seconds, 1),
                    "peak_memory_mb": peak_memory_mb(),
                }
            )
            self.rows = self.tokens = 0.0

    def on_evaluate(self, *args: Any, **kwargs: Any) -> None:
        """Leave the time of a scoring out of the next step's speed."""
        self._last = time.monotonic()

    def on_save(self, *args: Any, **kwargs: Any) -> None:
        """Leave the time of a checkpoint out of the next step's speed."""
        self._last = time.monotonic()

    def _write(self, line: dict[str, Any]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(to_json(line) + "\n")


@dataclass(frozen=True)
class ProgressSlot:
    """A run's place among those that are trained one after the other.

    Args:
        label: what the progress bar calls it.
        done: steps of the runs before it.
        total: steps of all.
    """

    label: str
    done: int
    total: int


def progress_slots(labels: Sequence[str], steps: Sequence[int]) -> list[ProgressSlot]:
    """Return the places of runs that are trained one after the other.

    Args:
        labels: what the progress bar calls each.
        steps: how many steps each takes.
    """
    return [ProgressSlot(label, sum(steps[:number]), sum(steps)) for number, label in enumerate(labels)]


class ShowProgress(TrainerCallback):
    """Shows steps, time left, the loss and the scores of dev.

    Args:
        slot: where the run is one of several; steps and time are those of all then.
    """

    def __init__(self, slot: ProgressSlot | None = None) -> None:
        self._slot = slot
        self._done = 0
        self._bar: Progress | None = None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Show the bar."""
        slot = self._slot or ProgressSlot("Training", 0, state.max_steps)
        self._done = slot.done
        self._bar = Progress(slot.label, slot.total, "step", done=slot.done + state.global_step)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Move the bar, or tell the scores."""
        assert self._bar is not None
        logs = logs or {}
        if "eval_run_score" in logs:
            per_task = ", ".join(
                f"{key.removeprefix('eval_').replace('/', ' ')} {value:.3f}"
                for key, value in logs.items()
                if key.startswith("eval_") and key != "eval_run_score"
            )
            if per_task:
                self._bar.say(f"step {state.global_step}: dev run score {logs['eval_run_score']:.4f} ({per_task})")
        elif "grad_norm" in logs:
            self._bar.advance(self._done + state.global_step - self._bar.done, f"loss {logs['loss']:.3f}")

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()


def _step(line: str) -> float:
    """The step of a log line; a line cut short by a kill counts as infinitely late."""
    try:
        return json.loads(line)["step"]
    except (ValueError, KeyError, TypeError):
        return float("inf")
