"""What came of a tuning: the trials, the chosen settings, what they gain on test, and what it cost."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

from equipoise.terminal import make_results_table

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True)
class TrialResult:
    """A trial.

    Args:
        number: its number, from 0; 0 has the run file's own settings.
        settings: what was tuned.
        dev: its best run score on dev; None where it was ended before its last scoring.
        scorings: its run scores on dev, in order.
        seconds: how long it took.
        note: "own settings", "pruned", "diverged", or "".
    """

    number: int
    settings: dict[str, Any]
    dev: float | None
    scorings: list[float]
    seconds: float
    note: str = ""


@dataclass(frozen=True)
class TunedTask:
    """A task on test, by its primary metric: with the run file's own settings, and with the tuned ones.

    Args:
        task: the task.
        metric: its primary metric.
        own: the value with the own settings.
        tuned: the value with the tuned settings.
        p: of the paired test on the same rows, Holm-corrected over the tasks; None where both are the same model.
    """

    task: str
    metric: str
    own: float
    tuned: float
    p: float | None


@dataclass(frozen=True)
class TuneResults:
    """What a tuning found.

    Args:
        best: the number of the trial that dev has chosen.
        settings: its settings, as `tuned.yaml` has them.
        dev: the best run scores on dev with the own settings and with the chosen ones.
        test: the run scores on test with the own settings and with the chosen ones.
        tasks: the scored tasks on test.
        trials: all trials, by number.
        pruned: how many were ended early.
        seconds: what all trials took together.
        seconds_own: what the trial with the own settings took.
    """

    best: int
    settings: dict[str, Any]
    dev: tuple[float, float]
    test: tuple[float, float]
    tasks: list[TunedTask]
    trials: list[TrialResult]
    pruned: int
    seconds: float
    seconds_own: float

    def to_json(self) -> dict[str, Any]:
        """Return the results as plain data, as in `tune.json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Read back what `to_json` returned."""
        tasks = [TunedTask(**task) for task in data["tasks"]]
        trials = [TrialResult(**trial) for trial in data["trials"]]
        pairs = {key: (data[key][0], data[key][1]) for key in ("dev", "test")}
        return cls(**{**data, "tasks": tasks, "trials": trials, **pairs})


def tuning_table(results: TuneResults) -> "Table":
    """Return the table of a tuning for the terminal: what the settings were and are, and the scores with both.

    Args:
        results: what the tuning found.
    """
    from rich.text import Text

    from equipoise.kinds import get_metric

    own = next(trial for trial in results.trials if trial.number == 0)
    count = len(results.trials)
    title = f"Tuned by {count} {'trial' if count == 1 else 'trials'}, chosen by dev: trial {results.best}"
    table = make_results_table(title, _describe_cost(results))
    table.add_column("")
    for head in ("run file", "tuned", "p"):
        table.add_column(head, justify="right")
    for key, value in results.settings.items():
        table.add_row(key, _write(own.settings[key]), _write(value), "")
    table.add_section()
    table.add_row(Text("run score on dev"), *_scores(*results.dev), "")
    table.add_row(Text("run score on test"), *_scores(*results.test), "")
    for task in results.tasks:
        p = "" if task.p is None else f"{task.p:.3f}"
        table.add_row(Text(f"  {task.task}, {get_metric(task.metric).label}"), *_scores(task.own, task.tuned), p)
    return table


def _describe_cost(results: TuneResults) -> str:
    from equipoise.progress import format_seconds

    if len(results.trials) == 1:
        return (
            f"Only the run file's own settings were tried, in {format_seconds(results.seconds)}. Call it again "
            "with more --minutes or --trials: it continues."
        )
    times = results.seconds / results.seconds_own if results.seconds_own else 0.0
    kept = "" if results.best else "No trial was better on dev than the run file's own settings. "
    if results.test[1] < results.test[0]:
        kept = "On test the run file's own settings score higher: keep them, or tune with more rows in dev. "
    return (
        f"{kept}"
        f"Trials took {format_seconds(results.seconds)} together, {times:.1f} times as long as the run file's own "
        f"settings; {results.pruned} were ended early. Test was scored once for each of the two columns; p is of a "
        "paired test on its rows."
    )


def _scores(own: float, tuned: float) -> Sequence[str]:
    return [f"{own:.4f}", f"{tuned:.4f}"]


def _write(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
