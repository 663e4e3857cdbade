"""The results of a comparison as data: what `compare.json` holds."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import TypeAdapter


@dataclass(frozen=True)
class Estimate:
    """A value and its 95 % interval; `low` and `high` are None where there is none."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class SeedsEstimate(Estimate):
    """A mean over seeds with its interval, and the value of each seed."""

    seeds: Sequence[float] = ()


@dataclass(frozen=True)
class Course:
    """A task's weight and loss over the steps of a training, each list with one value per point."""

    steps: Sequence[float]
    weights: Sequence[float]
    losses: Sequence[float]


@dataclass(frozen=True)
class ComparedTask:
    """A task that is compared.

    Args:
        kind: its kind.
        metric: its primary metric.
        metrics: all its metrics, in the order of the tables.
        item_metric: the metric of single items that paired tests read.
        test_rows: the number of its test rows.
        parts: the parts of its test rows, such as classes; see `Analysis.describe_parts`.
        part_metrics: what is measured of each part, the main one first.
        part_errors: whether the main one is an error, so that lower is better.
        class_noun: what a class is called.
        counted: what the items of a class are: rows, or what the lists of the task hold.
    """

    kind: str
    metric: str
    metrics: Sequence[str]
    item_metric: str
    test_rows: int
    parts: Sequence[Mapping[str, Any]]
    part_metrics: Sequence[str]
    part_errors: bool
    class_noun: str
    counted: str = "rows"


@dataclass(frozen=True)
class ComparedRow:
    """A row of the table. Numbers are None where the row has none, such as a row that could not be trained.

    Args:
        name: its name.
        kind: how its models come about, a `equipoise.comparison.rows.Kind`.
        run_file: the name of its run file.
        seeds: the seeds that are finished.
        seeds_planned: how many seeds it should have.
        metrics: means over seeds by split, task and metric.
        run_score: by split.
        weights: the static weights that dev has chosen, by task.
        epochs: the number of epochs that dev has chosen for each single task; None where it is not chosen yet.
        seconds_per_step: the mean over its trainings.
        peak_memory_mb: the largest of its trainings.
        seconds: of all its trainings, also of those that only chose something.
        seconds_choosing: of those that only chose something.
        trajectory: the course of each task's weight and loss.
        parts: the `part_metrics` of each part of each task's test rows.
        mean_rank: the rank by primary metric, averaged over tasks.
        wins: on how many tasks it is the best.
        delta_m: Δm over single-task, in percent.
        relative_step_time: `seconds_per_step` as a multiple of the row `equal`'s.
        relative_memory: `peak_memory_mb` as a multiple of the row `equal`'s.
    """

    name: str
    kind: str
    run_file: str
    seeds: Sequence[int]
    seeds_planned: int
    metrics: Mapping[str, Mapping[str, Mapping[str, SeedsEstimate]]]
    run_score: Mapping[str, Estimate | None]
    weights: Mapping[str, float] | None
    epochs: Mapping[str, float | None] | None
    seconds_per_step: float | None
    peak_memory_mb: float | None
    seconds: float
    seconds_choosing: float
    trajectory: Mapping[str, Course]
    parts: Mapping[str, Sequence[Mapping[str, float | None]]]
    mean_rank: float | None = None
    wins: int | None = None
    delta_m: Estimate | None = None
    relative_step_time: float | None = None
    relative_memory: float | None = None

    def primary(self, tasks: Mapping[str, ComparedTask]) -> dict[str, SeedsEstimate]:
        """Return the primary metric on test of each of the tasks that the row has."""
        test = self.metrics["test"]
        return {name: test[name][task.metric] for name, task in tasks.items() if name in test}


@dataclass(frozen=True)
class PairedTest:
    """A row's losses on a task's test rows against those of a reference row; see `equipoise.evaluation.paired_tests`.

    Args:
        row: the row's name.
        task: the task's name.
        difference: the row's mean loss less the reference's.
        ratio: the row's mean loss as a multiple of the reference's; None where the reference's can be zero.
        p: the p-value.
        p_holm: the p-value, corrected for all rows and tasks (Holm 1979).
    """

    row: str
    task: str
    difference: Estimate
    ratio: Estimate | None
    p: float
    p_holm: float


@dataclass(frozen=True)
class FailedTraining:
    """A training that failed: its row, seed and key in `compare.jsonl`, and why."""

    row: str
    seed: int
    key: str
    message: str


@dataclass(frozen=True)
class ComparisonResults:
    """The table of a comparison, and how it came about.

    Args:
        name: the name of its folder.
        seeds: how many seeds each trained row should have.
        trials: how many static weights were tried.
        tasks: the compared tasks by name.
        rows: the rows.
        tests: by reference row the tests of all others against it.
        failed: the trainings that failed.
        notes: sentences for the page.
        run_files: what each run file says, without balancer, seed and output.
        versions: of the packages that trained.
    """

    name: str
    seeds: int
    trials: int
    tasks: Mapping[str, ComparedTask]
    rows: Sequence[ComparedRow]
    tests: Mapping[str, Sequence[PairedTest]]
    failed: Sequence[FailedTraining]
    notes: Sequence[str]
    run_files: Mapping[str, Mapping[str, Any]]
    versions: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        """Return the content of `compare.json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "ComparisonResults":
        """Return the results that `to_json` returned."""
        return TypeAdapter(cls).validate_python(data)


def read_tests(records: Sequence[Mapping[str, Any]]) -> list[PairedTest]:
    """Return what `equipoise.evaluation.paired_tests` found, typed."""
    return TypeAdapter(list[PairedTest]).validate_python(records)
