"""Kinds of task: one folder each, with its label logic, run-file keys, objective, analysis and metrics.

A kind is registered in one place (`registry`), or by a package of its own (`register`, or an entry point in the group
`equipoise.kinds`). The label logic is free of torch; `make_objective` and `make_analysis` load the rest when it is
used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .analysis import Analysis, Fold, Labels, Lexicon
from .calibration import Calibration
from .class_metrics import CLASS_METRICS, ClassMetric, name_metric
from .classification import Classification
from .conformity import Conformity
from .extraction import Extraction
from .former_names import list_former_names, with_current_names
from .generation import Generation
from .labels import LabelError, as_text, list_names_hint, parse_number, quote, shorten, show
from .metrics import Floats, Metric, Statistic, mean_metric
from .multilabel import Multilabel
from .names import NameIndex, Vocabulary
from .ordinal import Ordinal
from .probes import PENALTIES, ClassProbe, LabelsProbe, LinearProbe, OrdinalProbe, ScoreProbe
from .prompts import Question, check_template
from .quads import Quads
from .registry import (
    Kind,
    get_kind,
    get_metric,
    list_kinds,
    make_analysis,
    make_metric,
    make_objective,
    register,
    task_from_dict,
)
from .regression import Regression
from .suggestions import LabelColumn, Suggestion, words_of
from .task import Task, View
from .term_search import is_inside_word, is_mark
from .token_reading import TokenWindow
from .triplets import Triplets
from .writing_task import WritingTask
from .written import WritingLimits, Written

if TYPE_CHECKING:
    from .objective import Objective
    from .task_config import TaskConfig

__all__ = [
    "CLASS_METRICS",
    "PENALTIES",
    "Analysis",
    "Calibration",
    "ClassMetric",
    "ClassProbe",
    "Classification",
    "Conformity",
    "Extraction",
    "Floats",
    "Fold",
    "Generation",
    "Kind",
    "LabelColumn",
    "LabelError",
    "Labels",
    "LabelsProbe",
    "Lexicon",
    "LinearProbe",
    "Metric",
    "Multilabel",
    "NameIndex",
    "Objective",
    "Ordinal",
    "OrdinalProbe",
    "Quads",
    "Question",
    "Regression",
    "ScoreProbe",
    "Statistic",
    "Suggestion",
    "Task",
    "TaskConfig",
    "TokenWindow",
    "Triplets",
    "View",
    "Vocabulary",
    "WritingLimits",
    "WritingTask",
    "Written",
    "as_text",
    "check_template",
    "get_kind",
    "get_metric",
    "is_inside_word",
    "is_mark",
    "list_former_names",
    "list_kinds",
    "list_names_hint",
    "make_analysis",
    "make_metric",
    "make_objective",
    "mean_metric",
    "name_metric",
    "parse_number",
    "quote",
    "register",
    "shorten",
    "show",
    "task_from_dict",
    "with_current_names",
    "words_of",
]

_HEAVY = {"Objective": ".objective", "TaskConfig": ".task_config"}

if not TYPE_CHECKING:  # a type checker knows the names from above

    def __getattr__(name: str) -> Any:
        """Import what needs torch or pydantic when it is asked for."""
        if name in _HEAVY:
            return getattr(import_module(_HEAVY[name], __name__), name)
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
