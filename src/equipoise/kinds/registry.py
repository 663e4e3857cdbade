"""The kinds of task: those of Equipoise, and those that others register."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from equipoise.errors import UsageError, did_you_mean

from .class_metrics import CLASS_METRICS
from .classification.task import Classification
from .extraction.task import Extraction
from .former_names import with_current_names
from .generation.task import Generation
from .multilabel.task import Multilabel
from .names import NameIndex
from .ordinal.task import Ordinal
from .quads.task import Quads
from .regression.task import Regression
from .task import Task
from .triplets.task import Triplets

if TYPE_CHECKING:
    from .analysis import Analysis
    from .metrics import Metric
    from .objective import Objective
    from .suggestions import LabelColumn, Suggestion
    from .task_config import TaskConfig

ENTRY_POINTS = "equipoise.kinds"
"""The group of entry points by which an installed package brings kinds along: each names a `Kind`."""

_WRITING = "equipoise.kinds.generation.objective:GenerationObjective"


@dataclass(frozen=True)
class Kind:
    """One kind of task: its parts, of which all but the label logic are loaded when they are used.

    Args:
        task: the label logic, a subclass of `Task`.
        config: the run file's keys, a subclass of `TaskConfig`; as "module:name", like the next three.
        objective: loss and predictions, a subclass of `Objective`; tasks that write text have that of
            generation instead.
        analysis: baselines, difficulty, weak rows, a subclass of `Analysis`.
        metrics: a mapping from name to `Metric`, all that the `metrics`, `primary_metrics` and `text_metrics` of the
            task name.
        proposal: a function that takes the columns of a file (`LabelColumn`) and returns what the kind suggests for
            them (`Suggestion`), for `equipoise init`; "" for a kind that suggests nothing.

    Example:
        >>> from equipoise.kinds import get_kind
        >>> get_kind("regression").task.primary_metrics
        ('pearson', 'spearman', 'cosine')
    """

    task: type[Task]
    config: str
    objective: str
    analysis: str
    metrics: str
    proposal: str = ""

    @property
    def name(self) -> str:
        """Its name in run files."""
        return self.task.kind

    @property
    def config_type(self) -> "type[TaskConfig]":
        """The run file's keys of a task."""
        found: type[TaskConfig] = resolve_name(self.config)
        return found

    def make_objective(self, task: Task) -> "Objective":
        """Return the objective of a task."""
        found: Objective = resolve_name(_WRITING if task.writes_text else self.objective)(task)
        return found

    def make_analysis(self, task: Task) -> "Analysis":
        """Return the analysis of a task."""
        found: Analysis = resolve_name(self.analysis)(task)
        return found

    @property
    def metrics_by_name(self) -> "Mapping[str, Metric]":
        """The metrics."""
        found: Mapping[str, Metric] = resolve_name(self.metrics)
        return found

    def propose(self, columns: "Sequence[LabelColumn]") -> "list[Suggestion]":
        """Return which of a file's columns may be labels of this kind."""
        if not self.proposal:
            return []
        found: list[Suggestion] = resolve_name(self.proposal)(columns)
        return found


def _ours(task: type[Task]) -> Kind:
    package, prefix = f"equipoise.kinds.{task.kind}", task.__name__
    return Kind(
        task,
        config=f"{package}.config:{prefix}Config",
        objective=f"{package}.objective:{prefix}Objective",
        analysis=f"{package}.analysis:{prefix}Analysis",
        metrics=f"{package}.metrics:METRICS",
        proposal=f"{package}.proposal:propose",
    )


_OURS: tuple[type[Task], ...] = (
    Classification,
    Ordinal,
    Multilabel,
    Regression,
    Extraction,
    Triplets,
    Quads,
    Generation,
)
_KINDS: dict[str, Kind] = {task.kind: _ours(task) for task in _OURS}
_loaded = False


def register(kind: Kind) -> None:
    """Register a kind of task for this process, so that run files and models can have tasks of it.

    An installed package does without a call by an entry point in the group `equipoise.kinds` that names the `Kind`.

    Args:
        kind: the kind.

    Raises:
        ValueError: another kind has its name.
    """
    if _KINDS.get(kind.name, kind) != kind:
        raise ValueError(f"kind '{kind.name}': another kind has this name; choose another one")
    _KINDS[kind.name] = kind


def list_kinds() -> dict[str, Kind]:
    """Return all kinds by name, those of installed packages last.

    Raises:
        UsageError: the kind of an installed package cannot be loaded.
    """
    global _loaded
    if not _loaded:
        _loaded = True  # at once: what is loaded may ask for kinds or metrics itself
        for point in entry_points(group=ENTRY_POINTS):
            try:
                register(point.load())
            except Exception as error:  # whatever the package raises
                _loaded = False
                raise UsageError(
                    f"kind '{point.name}' of the installed package '{point.dist.name if point.dist else point.value}' "
                    f"cannot be loaded ({type(error).__name__}: {error}); update or uninstall the package."
                ) from error
    return dict(_KINDS)


def get_kind(name: str) -> Kind:
    """Return a kind by its name.

    Raises:
        UsageError: there is none of this name.
    """
    kinds = list_kinds()
    if name not in kinds:
        raise UsageError(f"kind '{name}' does not exist. {did_you_mean(name, kinds)}")
    return kinds[name]


def make_objective(task: Task) -> "Objective":
    """Return what the outputs of a task's head mean: its loss, and its predictions."""
    return get_kind(task.kind).make_objective(task)


def make_analysis(task: Task) -> "Analysis":
    """Return what a task's kind knows of its labels and predictions."""
    return get_kind(task.kind).make_analysis(task)


def make_metric(task: Task, name: str) -> "Metric":
    """Return one of a task's metrics, to score with.

    Args:
        task: the task, its label space resolved.
        name: one of `task.reported`, or `task.item_metric`.

    Raises:
        KeyError: the task has no such metric, or none of its classes is called so.
    """
    metrics = get_kind(task.kind).metrics_by_name
    if name in metrics or name != task.metric:
        return metrics[name]
    known = NameIndex(task.class_names)
    found = {named: known.find(named) for named in task.metric_classes}
    if None in found.values():
        raise KeyError(f"{name}: the metric {task.find_metric_problem()}")
    classes = [index for index in found.values() if index is not None]
    return CLASS_METRICS[name.partition("(")[0]].of(", ".join(found), classes)


def get_metric(name: str) -> "Metric":
    """Return a metric of any kind by its name in records: what it is called, and which way is better.

    To score by a metric of named classes, such as `f1(irony)`, ask `make_metric`.

    Raises:
        KeyError: no kind has it.
    """
    measure, bracket, classes = name.partition("(")
    if bracket and measure in CLASS_METRICS:
        return CLASS_METRICS[measure].of(classes.removesuffix(")"))
    for kind in list_kinds().values():
        if name in kind.metrics_by_name:
            return kind.metrics_by_name[name]
    raise KeyError(name)


def task_from_dict(data: Mapping[str, Any]) -> Task:
    """Read back what `Task.to_dict` wrote."""
    fields = with_current_names(data)
    return get_kind(str(fields.pop("kind"))).task.from_fields(fields)
