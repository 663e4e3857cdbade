"""The extraction kind: terms that a text mentions, each with a class."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from equipoise.keys import name_key

from ..labels import LabelError, order_names, quote, show
from ..names import NameIndex
from ..spans import NOWHERE, load_items, name_some, write_items
from ..tagging import TaggedSpan, choose_owned, count_tags, keep_apart, read_tags, tag_tokens
from ..task import Task, TokenWindow
from .mentions import Mention, Tags, place_mentions, place_tags, read_mentions


@dataclass(frozen=True)
class Extraction(Task):
    """Terms that a text mentions, each with a class: aspects with a polarity, names of products, complaints.

    Tokens are tagged by B and I of each class, and O: unified tags (Li et al. 2019, arXiv 1811.05082).

    Args:
        classes: the classes in order; empty until `fit` finds them in the training rows, and where terms have none.
        class_key: what a class is called in answers, "polarity" or "label".
        whole_words: no training term begins or ends inside a word, so no answer does.
        missing_terms: what a term is that does not stand in its text: "fail", or "skip", not learnt.
    """

    kind: ClassVar[str] = "extraction"
    metrics: ClassVar[tuple[str, ...]] = ("extraction_f1", "term_f1", "polarity_accuracy", "span_f1", "text_f1")
    primary_metrics: ClassVar[tuple[str, ...]] = ("extraction_f1", "term_f1", "span_f1", "text_f1")
    item_metric: ClassVar[str] = "text_f1"
    label_type: ClassVar[str] = "string"
    prediction_type: ClassVar[type] = object
    takes_lists: ClassVar[bool] = True
    averages_seeds: ClassVar[bool] = False
    reads_tokens: ClassVar[bool] = True

    classes: tuple[str, ...] = ()
    class_key: str = "polarity"
    whole_words: bool = False
    missing_terms: str = "fail"

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes in order."""
        return self.classes

    @property
    def n_tags(self) -> int:
        """How many tags a token can have."""
        return count_tags(max(1, len(self.classes)))

    def parse(self, cell: Any) -> Any:
        """Read a list of terms, of spans, or a tag for each word."""
        found = read_mentions(cell)
        if isinstance(found, Tags):
            return found
        for mention in found:
            self._check_class(mention)
        return found

    def locate(self, label: Any, text: str) -> tuple[Mention, ...]:
        """Return the mentions with their places in the text."""
        if isinstance(label, Tags):
            placed = place_tags(label, text)
            for mention in placed:
                self._check_class(mention)
            return placed
        return place_mentions(label, text, may_be_missing=self.missing_terms == "skip")

    def _check_class(self, mention: Mention) -> None:
        if self.classes and mention.label not in self._index:
            found = f"the {mention.key} {show(mention.label)}" if mention.label else f"no {mention.key}"
            raise LabelError(f"found {found} of the term {show(mention.term)}, expected one of {quote(self.classes)}")

    def describe(self, labels: Sequence[Any]) -> list[str]:
        """Say which terms do not stand in their text, and which overlap."""
        missing = [mention.term for label in labels for mention in label if mention.start == NOWHERE]
        overlaps = [term for label in labels for term in self._list_overlapping(label)]
        said = []
        if missing:
            said.append(
                f"terms that do not stand in their text: {len(missing)} ({name_some(missing)}); they are not learnt, "
                "and count as missed."
            )
        if overlaps:
            said.append(
                f"terms that overlap with a longer one: {len(overlaps)} ({name_some(overlaps)}); the longer one is "
                "learnt, the other counts as missed."
            )
        return said

    def _list_overlapping(self, label: Sequence[Mention]) -> list[str]:
        spans = [TaggedSpan(mention.start, mention.end, 0) for mention in label if mention.start != NOWHERE]
        kept = set(keep_apart(spans))
        placed = [mention for mention in label if mention.start != NOWHERE]
        return [mention.term for mention, span in zip(placed, spans, strict=True) if span not in kept]

    def names(self, label: Any) -> tuple[str, ...]:
        """Return the classes of the mentions."""
        return tuple(dict.fromkeys(mention.label for mention in label if mention.label))

    def rename(self, label: Any, names: Mapping[str, str]) -> Any:
        """Return the mentions with their classes under new names."""
        return tuple(mention._replace(label=names.get(mention.label, mention.label)) for mention in label)

    def label_contradiction(self, trained: Self) -> str:
        """Say whether the classes are others than those of a trained model."""
        found, expected = ({name_key(name) for name in task.classes} for task in (self, trained))
        if found and found != expected:
            return f"classes: found {quote(self.classes)}, expected {quote(trained.classes)}"
        return ""

    def fit(self, labels: Sequence[Any]) -> Self:
        """Find the classes in the training rows, and whether terms are whole words."""
        mentions = [mention for label in labels for mention in label]
        if not any(mention.start != NOWHERE for mention in mentions):
            raise LabelError("no training text mentions a term, expected one or more")
        found = {mention.label for mention in mentions}
        if "" in found and len(found) > 1:
            raise LabelError(
                f"found terms with a class ({quote(sorted(found - {''}))}) and terms without one, expected all with or "
                "all without"
            )
        keys = {mention.key for mention in mentions}
        return self.replace(
            classes=self.classes or order_names(found - {""}),
            class_key="label" if keys == {"label"} else "polarity",
            whole_words=not any(mention.cuts_words for mention in mentions),
        )

    def encode(self, label: Any) -> str:
        """Return the mentions as JSON."""
        items = []
        for mention in label:
            number = self._index.find(mention.label)
            if number is None and (self.classes or mention.label):
                raise LabelError(
                    f"found the {mention.key} {show(mention.label)}, which train does not have, expected one of "
                    f"{quote(self.classes)}"
                )
            items.append(self._write(mention.term, mention.start, mention.end, number))
        return write_items(items)

    def _write(self, term: str, start: int, end: int, number: int | None) -> dict[str, Any]:
        item: dict[str, Any] = {"term": term, "start": start, "end": end}
        return item if number is None or not self.classes else {**item, self.class_key: self.classes[number]}

    def cell_targets(self, label: Any, text: str, offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the tag of each token (see `tag_tokens`)."""
        spans = [
            TaggedSpan(item["start"], item["end"], self._index.find(item.get(self.class_key, "")) or 0)
            for item in load_items(str(label))
            # Merged with a text that differs in whitespace, its places may be others: then it is not learnt.
            if item["start"] != NOWHERE and text[item["start"] : item["end"]] == item["term"]
        ]
        return tag_tokens(spans, offsets)

    def read_cells(self, text: str, windows: Sequence[TokenWindow]) -> str:
        """Return the most probable mentions, as JSON."""
        found = [read_tags(text, part.offsets, part.cells, whole_words=self.whole_words) for part in windows]
        spans = choose_owned(found, [part.offsets for part in windows])
        return write_items(
            [
                {
                    **self._write(text[span.start : span.end], span.start, span.end, span.number),
                    "score": round(span.score, 4),
                }
                for span in spans
            ]
        )

    def merge(self, labels: Sequence[Any]) -> Any:
        """Return the most frequent list of mentions, of equally frequent ones the first (our design)."""
        return Counter(labels).most_common(1)[0][0]

    @property
    def merge_rule(self) -> str:
        """What `merge` does, for notes."""
        return "most frequent list taken"

    def count(self, labels: npt.NDArray[Any]) -> dict[str, int]:
        """Count the mentions of each class."""
        counts = Counter(item.get(self.class_key, "") for label in labels for item in load_items(str(label)))
        return {name: counts[name] for name in self.classes} if self.classes else {"terms": counts.total()}

    def answer(self, prediction: Any) -> list[dict[str, Any]]:
        """Return the mentions, each with its place in the text; an empty list is an answer."""
        return [dict(item) for item in load_items(str(prediction))]

    def find_problem(self) -> str:
        """Say what is wrong with a task read from a file that its types do not show."""
        if len(set(self.classes)) < len(self.classes):
            return f"classes: found {quote(self.classes)}, expected different names"
        if self.class_key not in ("polarity", "label") or self.missing_terms not in ("fail", "skip"):
            return "class_key, missing_terms: found unknown words"
        return super().find_problem()

    @cached_property
    def _index(self) -> NameIndex:
        return NameIndex(self.classes)
