"""What classification suggests for columns: names that repeat, and scores that can be cut into classes."""

from collections.abc import Sequence

from equipoise.keys import is_number

from ..suggestions import MOST_CLASSES, LabelColumn, Suggestion, list_classes, open_task, reads_all, say_some
from .task import Classification

_CALLED = (
    *("label", "class", "category", "sentiment", "polarity", "topic", "emotion", "stance", "tone", "mood", "intent"),
    *("target_class", "annotation", "gold", "irony", "offensive", "sarcasm", "toxicity", "toxic", "hate", "type"),
)
_MOST_WORDS = 6
_CUT = ["negative", "neutral", "positive"]


def propose(columns: Sequence[LabelColumn]) -> list[Suggestion]:
    """Suggest classes where a column holds few different names."""
    found = [_by_names(column) for column in columns] + [_by_score(column) for column in columns]
    return [suggestion for suggestion in found if suggestion is not None]


def _by_names(column: LabelColumn) -> Suggestion | None:
    names = column.names
    if names is None or not 2 <= len(names) <= MOST_CLASSES or column.mean_words > _MOST_WORDS:
        return None
    rows = sum(names.values())
    keys = list_classes(column)
    task = open_task(Classification, column, classes=tuple(keys.get("classes", ())))
    if len(names) * 2 > rows or not reads_all(task, column):
        return None
    called = column.is_called(_CALLED)
    if all(map(is_number, names)):
        fit = 0.6 if len(names) == 2 or called else 0.45 if column.whole_numbers and len(names) <= 11 else 0.2
    else:
        fit = 0.7
    # Names that are said of a few rows each are rather codes, or places.
    fit -= 0.3 * (len(names) > 20) + 0.15 * (rows < 5 * len(names))
    return Suggestion((column.name,), keys, min(0.95, fit + 0.25 * called), f"{len(names)} classes: {say_some(names)}")


def _by_score(column: LabelColumn) -> Suggestion | None:
    if column.numbers is None or len(set(column.numbers)) < 2 * len(_CUT) or column.whole_numbers is not None:
        return None
    keys = {"from_score": {"classes": _CUT, "thresholds": "auto"}}
    return Suggestion((column.name,), keys, 0.35, "classes cut from the score, of equal size; set the thresholds")
