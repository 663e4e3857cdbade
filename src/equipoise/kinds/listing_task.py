"""Tasks whose answers are lists of words found in the text: by a head on its tokens, or written by a language model.

To write such lists as text is how Zhang et al. (2021, arXiv 2110.00796) do it with sentences; the format, and that an
answer counts as a whole or not at all, are our design.
"""

from abc import abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from equipoise.keys import name_key

from .calibration import Calibration, fit_platt
from .conformity import Floats
from .item_confidence import list_right, list_scores, mark_unsure, rescale
from .labels import LabelError, quote
from .names import NameIndex
from .prompts import Question, join_words
from .spans import find_unparsed, load_items, write_items, write_unparsed
from .writing_task import WritingTask
from .written import Written
from .written_lists import NOTHING, read_list, write_field, write_list

Items = Sequence[Sequence[str | None]]
"""What is written of a label: for each item its fields, None for one without words."""


@dataclass(frozen=True)
class ListingTask(WritingTask):
    """Words found in a text, each with a class.

    Args:
        classes: the classes in order; empty until `fit` finds them in the training rows.
        whole_words: no words found in training texts begin or end inside a word, so none that a head finds do.
        missing_terms: what a label is whose words do not stand in its text: "fail", or "skip", not learnt.
    """

    label_type: ClassVar[str] = "string"
    prediction_type: ClassVar[type] = object
    takes_lists: ClassVar[bool] = True
    averages_seeds: ClassVar[bool] = False
    reads_tokens: ClassVar[bool] = True
    explained_unit: ClassVar[str] = "log-odds"
    explains_each: ClassVar[bool] = True
    calibrated_metrics: ClassVar[tuple[str, ...]] = ("ece", "brier")
    template_fields: ClassVar[tuple[str, ...]] = ("text", "pair", "task", "labels", "format")

    classes: tuple[str, ...] = ()
    whole_words: bool = False
    missing_terms: str = "fail"

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes in order."""
        return self.classes

    def words_of(self, label: Any) -> tuple[str, ...]:
        """Return nothing: what is found in a text stands there."""
        return ()

    @property
    @abstractmethod
    def columns(self) -> tuple[str, ...]:
        """What the fields of a written item are called, in order."""

    @property
    @abstractmethod
    def choices(self) -> Mapping[str, tuple[str, ...]]:
        """The names that a column can hold; other columns hold words of the text."""

    @property
    def nullable(self) -> tuple[str, ...]:
        """The columns that can be without words."""
        return ()

    @abstractmethod
    def to_items(self, label: Any) -> Items:
        """Return what is written of an encoded label, in the order of the text; what has no place in it is left out."""

    @abstractmethod
    def from_items(self, items: Items, text: str) -> Any:
        """Return the label, with places in the text, that written items stand for.

        Raises:
            LabelError: a name is not known, or words do not stand in the text.
        """

    @property
    def scored_metrics(self) -> tuple[str, ...]:
        """What predictions are scored by against labels, such as how many of those that are written cannot be read."""
        return (*super().scored_metrics, *(("unparsed",) if self.writes_text else self.calibrated_metrics))

    @property
    def has_confidence(self) -> bool:
        """Whether its answers have a probability of being right: each item that a head finds has one."""
        return not self.writes_text

    def fit_calibration(self, predictions: npt.NDArray[Any], gold: npt.NDArray[Any]) -> Calibration | None:
        """Fit how probable it is that an item is right to the scores that a head gives."""
        if self.writes_text:
            return None
        return fit_platt(list_scores(predictions), list_right(gold, predictions, self.compared))

    def apply_calibration(self, predictions: npt.NDArray[Any], calibration: Calibration) -> npt.NDArray[Any]:
        """Return the lists with the probabilities that items are right for scores."""
        return rescale(predictions, calibration)

    def confidences(self, predictions: npt.NDArray[Any]) -> Floats:
        """Return the probability that an item is right, of all items found in all texts, shape (items,)."""
        return list_scores(self.decide(predictions))

    def is_right(self, predictions: npt.NDArray[Any], gold: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """Return whether an item is in its text's label, shape (items,)."""
        return list_right(gold, self.decide(predictions), self.compared)

    def abstain(self, answer: Any, prediction: Any, least: float) -> Any:
        """Return the list with what is unsure marked so."""
        return mark_unsure(answer, least)

    @property
    def reported(self) -> tuple[str, ...]:
        """All metrics that a table can show; beside a head the language model may have been asked, too."""
        return tuple(dict.fromkeys((*super().reported, "unparsed")))

    def questions(self) -> list[Question]:
        """Ask for the list."""
        named = {column: join_words([write_field(name) for name in names]) for column, names in self.choices.items()}
        hints = [f"{column}: {names}" for column, names in named.items() if names]
        if self.nullable:
            hints.append(f"{NOTHING} for {join_words(self.nullable)} without words")
        form = " | ".join(self.columns)
        said = f" ({'; '.join(hints)})" if hints else ""
        fields = {"format": f"{form} ; {form}{said}, or {NOTHING}", "labels": join_words(self.classes)}
        return [Question({**fields, "categories": join_words(self.choices.get("category", ()))})]

    def correct_answers(self, label: Any) -> list[str]:
        """Return the list as it is to be written."""
        return [write_list(self.to_items(label))]

    def read_written(self, text: str, written: Written) -> str:
        """Return what was written as a prediction, by the rules of labels; as a whole, or not at all.

        An answer that is cut, that is no list, that has a name which is not known, or words that do not stand in the
        text, is no answer: see `write_unparsed`.
        """
        try:
            if not written.is_complete:
                raise LabelError(f"found {self.max_new_tokens} tokens without an end, expected fewer")
            items = read_list(written.text, self.columns)
            for item in items:
                for column, words in zip(self.columns, item, strict=True):
                    if words is None and column not in self.nullable:
                        raise LabelError(f"found {NOTHING} for {column}, expected words")
            encoded: str = self.encode(self.from_items(items, text))
        except LabelError as error:
            return write_unparsed(written.text, str(error))
        return encoded

    def show_label(self, label: Any) -> str:
        """Return the items of a list, the parts of each with dashes between."""
        if unparsed := find_unparsed(label):
            return f"could not be read: {unparsed['unparsed']}"
        items = (self.compared(item) for item in load_items(str(label)))
        return "; ".join(" – ".join(map(str, parts)) for parts in items) or "none"

    def classes_in(self, label: Any) -> tuple[str, ...]:
        """Return the classes of the items, each once."""
        names = (item.get(column) for item in load_items(str(label)) for column in self.choices)
        return tuple(dict.fromkeys(str(name) for name in names if name))

    @abstractmethod
    def compared(self, item: dict[str, Any]) -> tuple[Any, ...]:
        """Return what of an item is compared with a label."""

    def answer(self, prediction: Any) -> list[dict[str, Any]]:
        """Return what was found, with its places in the text; an empty list is an answer.

        What a language model wrote and could not be read is one item: `{"unparsed": text, "reason": …}`.
        """
        if unparsed := find_unparsed(prediction):
            return [dict(unparsed)]
        return [dict(item) for item in load_items(str(self.decide_one(prediction)))]

    def decide_one(self, prediction: Any) -> str:
        """Return what of a prediction is sure enough, as JSON: all of it."""
        return str(prediction)

    def explained(self, prediction: Any) -> dict[str, str]:
        """Explain each item that is sure enough, in order; one that is there twice has a number behind its name."""
        found: dict[str, str] = {}
        for item in load_items(self.decide_one(prediction)):
            name = " – ".join(str(part) for part in self.compared(item) if part != "")
            alike = sum(other == name or other.startswith(f"{name} (") for other in found)
            found[f"{name} ({alike + 1})" if alike else name] = write_items([item])
        return found

    def add_explained(self, answer: Any, parts: Mapping[str, Mapping[str, Any]]) -> Any:
        """Return the items with the words that decided each."""
        return [{**item, **part} for item, part in zip(answer, parts.values(), strict=True)]

    def merge(self, labels: Sequence[Any]) -> Any:
        """Return the most frequent list, of equally frequent ones the first (our design)."""
        return Counter(labels).most_common(1)[0][0]

    @property
    def merge_rule(self) -> str:
        """What `merge` does, for notes."""
        return "most frequent list taken"

    def label_contradiction(self, trained: Self) -> str:
        """Say whether the classes are others than those of a trained model."""
        found, expected = ({name_key(name) for name in task.classes} for task in (self, trained))
        if found and found != expected:
            return f"classes: found {quote(self.classes)}, expected {quote(trained.classes)}"
        return ""

    @cached_property
    def _index(self) -> NameIndex:
        return NameIndex(self.classes)
