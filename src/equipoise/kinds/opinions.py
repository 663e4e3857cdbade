"""Opinions that a text states: (term, opinion, polarity), and with a category; read from labels, placed in texts."""

from collections.abc import Sequence
from itertools import product
from typing import Any, NamedTuple

from .labels import LabelError, parse_name, show
from .spans import MISSING_HINT, NOWHERE, load_items, read_fields, read_items, read_term, write_items
from .term_search import Place, cuts_words, find_term

MISSING: Place = (NOWHERE, NOWHERE)
"""The place of words that do not stand in the text, and of those that are implicit."""
_IMPLICIT = ("null", "none", "implicit", "nan")
"""What some data sets write for words that are implicit."""


class Opinion(NamedTuple):
    """One opinion.

    Args:
        term: what it is about, None where the text does not name it.
        opinion: the words that state it, None where it is implicit.
        polarity: its polarity.
        category: the category of what it is about, "" where the kind has none.
        term_place: where the term stands in the text.
        opinion_place: where the words of the opinion stand.
        cuts_words: whether one of them starts or ends inside a word.
        collides: whether a grid cannot hold it beside the other opinions of its text (see `opinion_grid`).
    """

    term: str | None
    opinion: str | None
    polarity: str
    category: str = ""
    term_place: Place = MISSING
    opinion_place: Place = MISSING
    cuts_words: bool = False
    collides: bool = False

    @property
    def is_placed(self) -> bool:
        """Whether all its words stand in the text."""
        return not self.missing

    @property
    def shown(self) -> list[str]:
        """What stands for it in messages: its words, and its names where it has none."""
        return [words for words in (self.term, self.opinion) if words] or [self.category, self.polarity]

    @property
    def missing(self) -> list[str]:
        """The words that do not stand in the text."""
        sides = ((self.term, self.term_place), (self.opinion, self.opinion_place))
        return [words for words, place in sides if words is not None and place == MISSING]


def read_opinions(cell: Any, fields: Sequence[str], example: str, *, may_be_implicit: bool) -> tuple[Opinion, ...]:
    """Read a label cell: a list of objects, or JSON text that holds one.

    Args:
        cell: the cell.
        fields: the fields of an object, all of which it must have.
        example: an example of the list, for messages.
        may_be_implicit: whether term and opinion may be null.

    Raises:
        LabelError: it is no such list.
    """
    found = []
    for item in read_items(cell, example):
        values = read_fields(item, fields, example[1:-1])
        words = {key: read_term(values[key]) if key in values else None for key in ("term", "opinion")}
        for key in fields:
            implicit = may_be_implicit and key in words and isinstance(item, dict) and key in item
            if key not in values and not implicit:
                raise LabelError(f"found {show(item)} without {key}, expected an object such as {example[1:-1]}")
        category = parse_name(values["category"]) if "category" in fields else ""
        found.append(Opinion(words["term"], words["opinion"], parse_name(values["polarity"]), category))
    return tuple(dict.fromkeys(found))


def place_opinions(found: Sequence[Opinion], text: str, *, may_be_missing: bool) -> tuple[Opinion, ...]:
    """Look for the words of opinions in their text.

    Words that stand in several places are taken where term and opinion are nearest to each other, or at their first
    place where one is implicit (our design).

    Args:
        found: the opinions of a text.
        text: the text.
        may_be_missing: keep opinions whose words do not stand in the text.

    Raises:
        LabelError: the words of an opinion do not stand in the text.
    """
    placed = []
    for opinion in found:
        terms, opinions = (find_term(text, words) if words else [] for words in (opinion.term, opinion.opinion))
        term_place, opinion_place = min(product(terms or [MISSING], opinions or [MISSING]), key=_distance)
        located = opinion._replace(
            # As the text has it: it may differ in case.
            term=text[slice(*term_place)] if terms else opinion.term,
            opinion=text[slice(*opinion_place)] if opinions else opinion.opinion,
            term_place=term_place,
            opinion_place=opinion_place,
            cuts_words=any(cuts_words(text, *place) for place in (term_place, opinion_place) if place != MISSING),
        )
        if located.missing and not may_be_missing:
            words = located.missing[0]
            implicit = "; what is implicit is null, in quads" if words.casefold() in _IMPLICIT else ""
            raise LabelError(
                f"found the words {show(words)}, which do not stand in the text {show(text)}{implicit}", MISSING_HINT
            )
        placed.append(located)
    return tuple(opinion._replace(collides=_collides(opinion, placed, text)) for opinion in placed)


def _collides(opinion: Opinion, others: Sequence[Opinion], text: str) -> bool:
    """Whether an opinion has the same words as another one, or words that touch or overlap with another's."""
    if not opinion.is_placed:
        return False
    pair = (opinion.term_place, opinion.opinion_place)
    if sum((other.term_place, other.opinion_place) == pair and other.is_placed for other in others) > 1:
        return True
    terms, opinions = ({place for place in places if place != MISSING} for places in _places_of(others))
    return (
        any(_touch(opinion.term_place, place, text) for place in terms)
        or any(_touch(opinion.opinion_place, place, text) for place in opinions)
        or any(_overlap(opinion.term_place, place) for place in opinions)
        or any(_overlap(opinion.opinion_place, place) for place in terms)
    )


def _places_of(opinions: Sequence[Opinion]) -> tuple[list[Place], list[Place]]:
    placed = [opinion for opinion in opinions if opinion.is_placed]
    return [opinion.term_place for opinion in placed], [opinion.opinion_place for opinion in placed]


def _overlap(one: Place, other: Place) -> bool:
    return MISSING not in (one, other) and one[0] < other[1] and other[0] < one[1]


def _touch(one: Place, other: Place, text: str) -> bool:
    """Whether two places overlap, or have nothing but whitespace between them."""
    if one == other or MISSING in (one, other):
        return False
    first, last = sorted((one, other))
    return not text[first[1] : last[0]].strip()


def _distance(places: tuple[Place, Place]) -> tuple[int, Place, Place]:
    term, opinion = places
    if MISSING in places:
        return 0, term, opinion
    return max(term[0] - opinion[1], opinion[0] - term[1], 0), term, opinion


def write_opinions(opinions: Sequence[Opinion], fields: Sequence[str], scores: Sequence[float] = ()) -> str:
    """Write opinions as JSON: what tables and predictions hold.

    Args:
        opinions: the opinions.
        fields: the fields of an object.
        scores: how sure each is; left out of labels.
    """
    items = []
    for number, opinion in enumerate(opinions):
        item: dict[str, Any] = {field: getattr(opinion, field) for field in fields}
        for side, place in (("term", opinion.term_place), ("opinion", opinion.opinion_place)):
            item |= {f"{side}_start": place[0], f"{side}_end": place[1]} if place != MISSING else {}
        items.append(item | ({"score": round(scores[number], 4)} if scores else {}))
    return write_items(items)


def load_opinions(encoded: Any) -> list[Opinion]:
    """Read what `write_opinions` wrote."""
    return [
        Opinion(
            item["term"],
            item["opinion"],
            item["polarity"],
            item.get("category", ""),
            (item.get("term_start", NOWHERE), item.get("term_end", NOWHERE)),
            (item.get("opinion_start", NOWHERE), item.get("opinion_end", NOWHERE)),
        )
        for item in load_items(str(encoded))
    ]
