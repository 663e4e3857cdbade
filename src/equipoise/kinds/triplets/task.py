"""The triplets kind: opinions that a text states, each as term, opinion and polarity."""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from ..labels import LabelError, list_names_hint, order_names, quote, show
from ..listing_task import Items, ListingTask
from ..names import NameIndex
from ..opinion_grid import RELATION, Found, Grid, grid_targets, read_grid
from ..opinions import MISSING, Opinion, load_opinions, place_opinions, read_opinions, write_opinions
from ..spans import find_unparsed, load_items, name_some, write_items
from ..tagging import close_gaps, own_ranges
from ..token_reading import TokenWindow
from ..tuple_metrics import micro_f1

_LEAST = 0.1
"""Pairs that are related with a lower probability are no candidates."""
_THRESHOLDS = np.arange(0.1, 0.9, 0.05).round(2)


@dataclass(frozen=True)
class Triplets(ListingTask):
    """Opinions that a text states, each as a term, the words of the opinion, and a polarity.

    A head relates pairs of tokens (see `Grid`). A language model writes `term | opinion | polarity ; …`.
    Labels are lists such as `[{"term": "battery", "opinion": "loud", "polarity": "negative"}]`: see docs/aspects.md.

    Args:
        threshold: how sure an answer of a head must be; 0.5 until `tune` chooses it on dev.
    """

    kind: ClassVar[str] = "triplets"
    metrics: ClassVar[tuple[str, ...]] = ("triplet_f1", "pair_f1", "triplet_text_f1")
    primary_metrics: ClassVar[tuple[str, ...]] = ("triplet_f1", "pair_f1", "triplet_text_f1")
    item_metric: ClassVar[str] = "triplet_text_f1"
    class_noun: ClassVar[str] = "polarity"
    counted: ClassVar[str] = "opinions"
    fields: ClassVar[tuple[str, ...]] = ("term", "opinion", "polarity")
    """The fields of one opinion, in labels and answers."""
    class_key: ClassVar[str] = "polarity"
    example: ClassVar[str] = '[{"term": "battery", "opinion": "loud", "polarity": "negative"}]'
    may_be_implicit: ClassVar[bool] = False
    """Whether term and opinion may be null."""
    default_questions: ClassVar[tuple[str, ...]] = (
        "Find the {task} in the text above{towards}. Answer in the form {format}.",
        "Which opinions does this text state{towards}? List them in order as {format}.",
        "List what the text above says about what{towards}, in its own words. Write {format}.",
        "Read the text above and write down its {task}{towards}, as {format}.",
    )

    threshold: float = 0.5

    @property
    def category_names(self) -> tuple[str, ...]:
        """The categories in order; none for triplets."""
        return ()

    @property
    def grid(self) -> Grid:
        """The shape of its grids."""
        return Grid(len(self.classes), max(1, len(self.category_names)), self.may_be_implicit)

    def parse(self, cell: Any) -> tuple[Opinion, ...]:
        """Read a list of opinions."""
        found = read_opinions(cell, self.fields, self.example, may_be_implicit=self.may_be_implicit)
        for opinion in found:
            self.check_names(opinion, "one of")
        return found

    def check_names(self, opinion: Opinion, expected: str) -> None:
        """Refuse names that are not known, where the known ones are.

        Args:
            opinion: the opinion.
            expected: what stands before the known ones in the message.

        Raises:
            LabelError: there is one.
        """
        self._check(opinion.polarity, "polarity", self.classes, expected)

    def _check(self, name: str, what: str, known: Sequence[str], expected: str) -> None:
        if known and name not in NameIndex(known):
            hint = list_names_hint("categories" if what == "category" else "classes")
            raise LabelError(f"found the {what} {show(name)}, expected {expected} {quote(known)}", hint)

    def locate(self, label: Any, text: str) -> tuple[Opinion, ...]:
        """Return the opinions with the places of their words in the text."""
        return place_opinions(label, text, may_be_missing=self.missing_terms == "skip")

    def describe(self, labels: Sequence[Any]) -> list[str]:
        """Say which words do not stand in their text, and which opinions a head cannot tell apart."""
        missing = [words for label in labels for opinion in label for words in opinion.missing]
        colliding = [opinion for label in labels for opinion in label if opinion.collides]
        said = []
        if missing:
            said.append(
                f"words that do not stand in their text: {len(missing)} ({name_some(missing)}); their opinions are not "
                "learnt, and count as missed."
            )
        if colliding and self.has_token_head:
            shown = name_some([" / ".join(opinion.shown) for opinion in colliding])
            said.append(
                f"opinions whose words touch or overlap with those of another one, or are the same: {len(colliding)} "
                f"({shown}). A head finds one of them, or them as one; the others count as missed."
            )
        return said

    def names(self, label: Any) -> tuple[str, ...]:
        """Return the polarities of the opinions."""
        return tuple(dict.fromkeys(opinion.polarity for opinion in label))

    def rename(self, label: Any, names: Mapping[str, str]) -> Any:
        """Return the opinions with their polarities under new names."""
        return tuple(opinion._replace(polarity=names.get(opinion.polarity, opinion.polarity)) for opinion in label)

    def fit(self, labels: Sequence[Any]) -> Self:
        """Find the polarities in the training rows, and whether terms and opinions are whole words."""
        opinions = [opinion for label in labels for opinion in label]
        if not any(opinion.is_placed for opinion in opinions):
            raise LabelError("no training text states an opinion, expected one or more")
        return self.replace(
            classes=self.classes or order_names({opinion.polarity for opinion in opinions}),
            whole_words=not any(opinion.cuts_words for opinion in opinions),
        )

    def encode(self, label: Any) -> str:
        """Return the opinions as JSON."""
        for opinion in label:
            self.check_names(opinion, "as in train one of")
        return write_opinions(self._canonical(label), self.fields)

    def _canonical(self, opinions: Sequence[Opinion]) -> list[Opinion]:
        """Give polarities the spelling of the classes."""
        return [
            opinion._replace(polarity=self.classes[self._index.find(opinion.polarity) or 0]) for opinion in opinions
        ]

    def count_cells(self, tokens: int) -> int:
        """Return how many cells a grid has."""
        return self.grid.side(tokens) ** 2

    def cell_targets(self, label: Any, text: str, offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the target of each cell of the grid (see `grid_targets`)."""
        numbered = [
            (opinion, self._index.find(opinion.polarity) or 0, self._category_number(opinion))
            for opinion in load_opinions(label)
            # Merged with a text that differs in whitespace, its places may be others: then it is not learnt.
            if all(
                words is None or place == MISSING or text[slice(*place)] == words
                for words, place in ((opinion.term, opinion.term_place), (opinion.opinion, opinion.opinion_place))
            )
        ]
        return grid_targets(numbered, close_gaps(text, offsets), self.grid)

    def explained_cells(self, item: Any, text: str, offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the cells that relate the opinion's words to its term."""
        targets = super().explained_cells(item, text, offsets)
        return np.where(targets >= RELATION, targets, 0)

    def count_cut(self, label: Any, text: str, offsets: npt.NDArray[np.int64]) -> int:
        """Return how many opinions the tokens do not reach."""
        last = close_gaps(text, offsets)[:, 1].max(initial=0)
        return sum(max(one.term_place[1], one.opinion_place[1]) > last for one in load_opinions(label))

    def _category_number(self, opinion: Opinion) -> int:
        return 0

    def read_cells(self, text: str, windows: Sequence[TokenWindow]) -> str:
        """Return all opinions that are probable enough to be candidates, as JSON."""
        opinions: list[Opinion] = []
        scores: list[float] = []
        windows = [part._replace(offsets=close_gaps(text, part.offsets)) for part in windows]
        for part, (low, high) in zip(windows, own_ranges([part.offsets for part in windows]), strict=True):
            found = read_grid(text, part.offsets, part.cells, self.grid, whole_words=self.whole_words, least=_LEAST)
            for one in found:
                place = one.term if one.term != MISSING else one.opinion
                if low <= place[0] < high or (place == MISSING and low < 0):
                    opinions.append(self._name(text, one))
                    scores.append(one.score)
        return write_opinions(opinions, self.fields, scores)

    def _name(self, text: str, found: Found) -> Opinion:
        term, opinion = (None if place == MISSING else text[slice(*place)] for place in (found.term, found.opinion))
        category = self.category_names[found.category] if self.category_names else ""
        return Opinion(term, opinion, self.classes[found.polarity], category, found.term, found.opinion)

    def tune(self, predictions: npt.NDArray[Any], gold: npt.NDArray[Any]) -> Self:
        """Choose the threshold by the micro-F1 of exact tuples on dev; the nearest to 0.5 of equally good ones."""
        if not len(gold) or self.writes_text:
            return self

        def score(threshold: float) -> tuple[float, float]:
            decided = self.replace(threshold=threshold).decide(predictions)
            return micro_f1(gold, decided, self.compared), -abs(threshold - 0.5)

        return self.replace(threshold=float(max(_THRESHOLDS.tolist(), key=score)))

    def compared(self, item: dict[str, Any]) -> tuple[Any, ...]:
        """Return what of an opinion is compared with a label."""
        return tuple(item[field] for field in self.fields)

    def decide(self, predictions: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the candidates that are sure enough."""
        return np.array([self.decide_one(text) for text in predictions], dtype=object)

    def decide_one(self, prediction: Any) -> str:
        """Return the candidates of one text that are sure enough; what is written has no score, and all of it is."""
        if find_unparsed(prediction):
            return str(prediction)
        return write_items([item for item in load_items(str(prediction)) if item.get("score", 1) >= self.threshold])

    @property
    def columns(self) -> tuple[str, ...]:
        """What the fields of a written item are called, in order."""
        return self.fields

    @property
    def choices(self) -> Mapping[str, tuple[str, ...]]:
        """The names that a column can hold."""
        return {"polarity": self.classes}

    @property
    def nullable(self) -> tuple[str, ...]:
        """The columns that can be without words."""
        return ("term", "opinion") if self.may_be_implicit else ()

    def to_items(self, label: Any) -> Items:
        """Return the fields of the opinions in the order of their terms, or of their words where a term is implicit."""
        opinions = sorted((one for one in load_opinions(label) if one.is_placed), key=_order)
        return list(dict.fromkeys(tuple(getattr(one, field) for field in self.fields) for one in opinions))

    def from_items(self, items: Items, text: str) -> tuple[Opinion, ...]:
        """Return the opinions that written items stand for."""
        rows = [dict(zip(self.fields, item, strict=True)) for item in items]
        found = [Opinion(row["term"], row["opinion"], row["polarity"] or "", row.get("category") or "") for row in rows]
        for opinion in found:
            self.check_names(opinion, "one of")
        return place_opinions(self._canonical(found), text, may_be_missing=False)

    def count(self, labels: npt.NDArray[Any]) -> dict[str, int]:
        """Count the opinions of each polarity."""
        counts = Counter(opinion.polarity for label in labels for opinion in load_opinions(label))
        return {name: counts[name] for name in self.classes}

    def find_problem(self) -> str:
        """Say what is wrong with a task read from a file that its types do not show."""
        if not self.classes or len(set(self.classes)) < len(self.classes):
            return f"classes: found {quote(self.classes)}, expected different names"
        if self.missing_terms not in ("fail", "skip") or not 0 <= self.threshold <= 1:
            return "missing_terms, threshold: found an unknown word, or a threshold that is not from 0 to 1"
        return super().find_problem()


def _order(opinion: Opinion) -> tuple[tuple[int, int], ...]:
    """Return where an opinion stands: its term, else its words; at the end if both are implicit."""
    places = [place for place in (opinion.term_place, opinion.opinion_place) if place != MISSING]
    return (*places, (sys.maxsize, 0))
