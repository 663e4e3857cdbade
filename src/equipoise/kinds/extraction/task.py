"""The extraction kind: terms that a text mentions, each with a class."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from ..labels import LabelError, list_names_hint, order_names, quote, show
from ..listing_task import Items, ListingTask
from ..spans import NOWHERE, load_items, name_some, write_items
from ..tagging import TaggedSpan, choose_owned, close_gaps, count_tags, keep_apart, read_tags, tag_tokens
from ..token_reading import TokenWindow
from .mentions import Mention, Tags, place_mentions, place_tags, read_mentions


@dataclass(frozen=True)
class Extraction(ListingTask):
    """Terms that a text mentions, each with a class: aspects with a polarity, names of products, complaints.

    A head tags tokens by B and I of each class, and O: unified tags (Li et al. 2019, arXiv 1811.05082). A language
    model writes `term | class ; term | class`. Labels are lists such as `[{"term": "fan", "polarity": "negative"}]`,
    terms alone, places, or BIO tags: see docs/aspects.md.

    Args:
        class_key: what a class is called in answers, "polarity" or "label"; terms can also be without classes.
    """

    kind: ClassVar[str] = "extraction"
    metrics: ClassVar[tuple[str, ...]] = ("extraction_f1", "term_f1", "polarity_accuracy", "span_f1", "text_f1")
    primary_metrics: ClassVar[tuple[str, ...]] = ("extraction_f1", "term_f1", "span_f1", "text_f1")
    item_metric: ClassVar[str] = "text_f1"
    counted: ClassVar[str] = "terms"
    default_questions: ClassVar[tuple[str, ...]] = (
        "Find the {task} in the text above{towards}. Answer in the form {format}.",
        "Which {task} does this text mention{towards}? List them in order as {format}.",
        "List the words of the text above that name its {task}{towards}. Write {format}.",
        "Read the text above and write down its {task}{towards}, as {format}.",
    )

    class_key: str = "polarity"

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
            raise LabelError(f"{self._found(mention)}, expected one of {quote(self.classes)}", list_names_hint())

    def _found(self, mention: Mention) -> str:
        found = f"the {mention.key} {show(mention.label)}" if mention.label else f"no {mention.key}"
        return f"found {found} of the term {show(mention.term)}"

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
        if overlaps and self.has_token_head:
            said.append(
                f"terms that overlap with another: {len(overlaps)} ({name_some(overlaps)}); the longest, or the first "
                "of one place, is learnt, the others count as missed."
            )
        return said

    def _list_overlapping(self, label: Sequence[Mention]) -> list[str]:
        placed = [mention for mention in label if mention.start != NOWHERE]
        spans = [TaggedSpan(mention.start, mention.end, number) for number, mention in enumerate(placed)]
        kept = {span.number for span in keep_apart(spans)}
        return [mention.term for number, mention in enumerate(placed) if number not in kept]

    def names(self, label: Any) -> tuple[str, ...]:
        """Return the classes of the mentions."""
        return tuple(dict.fromkeys(mention.label for mention in label if mention.label))

    def rename(self, label: Any, names: Mapping[str, str]) -> Any:
        """Return the mentions with their classes under new names."""
        return tuple(mention._replace(label=names.get(mention.label, mention.label)) for mention in label)

    def fit(self, labels: Sequence[Any]) -> Self:
        """Find the classes in the training rows, and whether terms are whole words."""
        mentions = [mention for label in labels for mention in label]
        if not any(mention.start != NOWHERE for mention in mentions):
            raise LabelError("no training text mentions a term, expected one or more")
        found = {mention.label for mention in mentions}
        if "" in found and len(found) > 1:
            without = [mention.term for mention in mentions if not mention.label]
            raise LabelError(
                f"found terms with a class ({quote(sorted(found - {''}))}) and {len(without)} without one "
                f"({name_some(without)}), expected all with or all without"
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
                expected = (
                    f"as in train one of {quote(self.classes)}" if self.classes else f"no {mention.key}, as in train"
                )
                raise LabelError(f"{self._found(mention)}, expected {expected}", list_names_hint())
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
        return tag_tokens(spans, close_gaps(text, offsets))

    def count_cut(self, label: Any, text: str, offsets: npt.NDArray[np.int64]) -> int:
        """Return how many terms the tokens do not reach."""
        last = close_gaps(text, offsets)[:, 1].max(initial=0)
        return sum(item["end"] > last for item in load_items(str(label)))

    def read_cells(self, text: str, windows: Sequence[TokenWindow]) -> str:
        """Return the most probable mentions, as JSON."""
        windows = [part._replace(offsets=close_gaps(text, part.offsets)) for part in windows]
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

    def compared(self, item: dict[str, Any]) -> tuple[Any, ...]:
        """Return what of a term is compared with a label."""
        return item["term"], item.get(self.class_key, "")

    @property
    def columns(self) -> tuple[str, ...]:
        """What the fields of a written item are called, in order."""
        return ("term", self.class_key) if self.classes else ("term",)

    @property
    def choices(self) -> Mapping[str, tuple[str, ...]]:
        """The names that a column can hold."""
        return {self.class_key: self.classes} if self.classes else {}

    def to_items(self, label: Any) -> Items:
        """Return terms and classes in order; a term once, or with several classes for each place where it stands."""
        placed: list[tuple[str, ...]] = [
            tuple(item[column] for column in self.columns)
            for item in load_items(str(label))
            if item["start"] != NOWHERE
        ]
        classes = Counter(term for term, *_ in dict.fromkeys(placed))
        found: list[tuple[str, ...]] = []
        for item in placed:
            if classes[item[0]] > 1 or item not in found:
                found.append(item)
        return found

    def from_items(self, items: Items, text: str) -> tuple[Mention, ...]:
        """Return the mentions that written items stand for."""
        mentions = []
        for term, *rest in items:
            mention = Mention(rest[0] or "" if rest else "", term or "", key=self.class_key)
            self._check_class(mention)
            number = self._index.find(mention.label)
            mentions.append(mention if number is None else mention._replace(label=self.classes[number]))
        return place_mentions(mentions, text, may_be_missing=False)

    def count(self, labels: npt.NDArray[Any]) -> dict[str, int]:
        """Count the mentions of each class."""
        counts = Counter(item.get(self.class_key, "") for label in labels for item in load_items(str(label)))
        return {name: counts[name] for name in self.classes} if self.classes else {"terms": counts.total()}

    def find_problem(self) -> str:
        """Say what is wrong with a task read from a file that its types do not show."""
        if len(set(self.classes)) < len(self.classes):
            return f"classes: found {quote(self.classes)}, expected different names"
        if self.class_key not in ("polarity", "label") or self.missing_terms not in ("fail", "skip"):
            return "class_key, missing_terms: found unknown words"
        return super().find_problem()
