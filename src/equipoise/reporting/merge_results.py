"""The results of a search as data: what `merge.json` holds."""

from enum import StrEnum
from typing import Any, TypedDict

from equipoise.evaluation import Record


class RowKind(StrEnum):
    """What a row of the table is."""

    REFERENCE = "reference"
    """No merge: the base, the experts, the joint model."""
    BASELINE = "baseline"
    """A merge without a search."""
    EVOLVED = "evolved"
    """A merge that a search has found."""


class RowResult(TypedDict):
    """A row: `metrics` are the primary ones by split and task, `records` all on test.

    `demonstrations` says whether examples stood before each question; `tried` are the dev scores of the `recipe`s that
    dev chose from, where it did.
    """

    name: str
    kind: str
    demonstrations: bool
    about: str
    metrics: dict[str, dict[str, Record]]
    records: list[Record]
    run_score: dict[str, float]
    recipe: dict[str, Any] | None
    tried: list[float] | None


class Candidate(TypedDict):
    """A candidate of a search: its numbers by key, the start it was if any, and what it scored on how many folds."""

    number: int
    numbers: dict[str, float]
    start: str | None
    fitness: float
    tasks: dict[str, float]
    folds: int
    rows: int


class Parameter(TypedDict):
    """A number that is searched: the coefficient of a `member`, in one `block` of layers if there are several, or an
    `option` of the operator."""

    key: str
    member: str | None
    block: int | None
    option: str | None


class SearchResult(TypedDict):
    """A search: dev run scores of the `finalists` by number, the tasks of each of the `members`, and Spearman's ρ of
    fitness and dev over the finalists (`agreement`)."""

    chosen: int
    recipe: dict[str, Any]
    finalists: dict[str, float]
    dev: float
    seconds_searched: float
    candidates: list[Candidate]
    members: dict[str, list[str]]
    parameters: list[Parameter]
    agreement: float | None


class CellTime(TypedDict):
    """How long a cell took: "weak", a "search", a "row", or an "expert" in the heat map."""

    kind: str
    name: str
    seconds: float


class WeakCounts(TypedDict):
    """How many rows were chosen (`rows`, of them `weak` ones), fitted to and read, and shares of those read."""

    rows: int
    fit: int
    weak: int
    wrong: float
    suspected: float
    read: int


class TaskResult(TypedDict):
    """A task, its rows by split, and its weak data."""

    kind: str
    format: str
    metric: str
    group: str | None
    rows: dict[str, int]
    weak: WeakCounts


class MergeResults(TypedDict):
    """The table of a search, and how it came about.

    `name`, `model`, `operator` and `objectives` are of the run file; `unseen` says whether no expert has learnt from
    the weak rows, `refit` whether last layers are fitted again. `best` is the stage whose row is best on dev,
    `best_row` that row's name; `tests` are of every row against it, paired, Holm-corrected. `kept` is the share of the
    experts' own metrics that each row keeps, `heat_map` the dev metric by expert and task.
    """

    name: str
    model: str
    operator: dict[str, Any]
    objectives: str
    unseen: bool
    refit: bool
    tasks: dict[str, TaskResult]
    rows: list[RowResult]
    best: str
    best_row: str
    kept: dict[str, float | None]
    tests: list[dict[str, Any]]
    searches: dict[str, SearchResult]
    heat_map: dict[str, dict[str, float]]
    times: list[CellTime]
    notes: list[str]
