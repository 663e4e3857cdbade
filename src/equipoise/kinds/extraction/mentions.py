"""Reading the labels of extraction: lists of terms, of stretches of the text, or tags of its words."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from ..labels import LabelError, parse_name, show
from ..spans import MISSING_HINT, NOWHERE, check_stretch, read_fields, read_items, read_term
from ..term_search import Place, cuts_words, find_term

EXAMPLE = '[{"term": "battery", "polarity": "negative"}]'
_FIELDS = ("term", "start", "end", "polarity", "label")
_TAG = re.compile(r"O|[BI](-.+)?")
_TAG_OF_ANY_SCHEME = re.compile(r"[Oo]|[A-Za-z](-.*)?")
_WORD = re.compile(r"\S+")


class Mention(NamedTuple):
    """A term that a text mentions.

    Args:
        label: its class, "" for none.
        term: its words.
        start: where it starts in the text; NOWHERE before it is looked for, and where it is not there.
        end: where it ends.
        key: the field that its class came in, "polarity" or "label".
        cuts_words: whether it starts or ends inside a word.
    """

    label: str
    term: str = ""
    start: int = NOWHERE
    end: int = NOWHERE
    key: str = "polarity"
    cuts_words: bool = False


class Tags(tuple[str, ...]):
    """One tag for each word of a text."""


def read_mentions(cell: Any) -> tuple[Mention, ...] | Tags:
    """Read a label cell: a list of objects or of terms, JSON text that holds one, or a tag for each word.

    Raises:
        LabelError: it is none of them.
    """
    items = cell.split() if isinstance(cell, str) and _seem_tags(cell.split()) else read_items(cell, EXAMPLE)
    if _seem_tags(items):
        if wrong := [tag for tag in items if not _TAG.fullmatch(tag)]:
            raise LabelError(f"found the tag {show(wrong[0])}, expected O, B-CLASS or I-CLASS for each word")
        return Tags(items)
    return tuple(_read_mention(item) for item in items)


def _seem_tags(items: Sequence[Any]) -> bool:
    """Whether items are tags, of this scheme or of another, such as S and E, or with small letters."""
    if not items or not all(isinstance(item, str) for item in items):
        return False
    if all(map(_TAG.fullmatch, items)):
        return True
    of_any_scheme = all(map(_TAG_OF_ANY_SCHEME.fullmatch, items)) and any("-" in item for item in items)
    return of_any_scheme and ("O" in items or "o" in items)


def _read_mention(item: Any) -> Mention:
    if isinstance(item, str):
        return Mention("", read_term(item))
    fields = read_fields(item, _FIELDS, EXAMPLE[1:-1])
    if "polarity" in fields and "label" in fields:
        raise LabelError(f"found {show(item)} with both a polarity and a label, expected one of them")
    key = "label" if "label" in fields else "polarity"
    label = parse_name(fields[key]) if key in fields else ""
    if "start" in fields or "end" in fields:
        for place in ("start", "end"):
            if place not in fields:
                raise LabelError(f"found {show(item)} without {place}, expected start and end, or neither")
        term = fields.get("term", "")
        return Mention(label, term, fields.get("start", NOWHERE), fields.get("end", NOWHERE), key)
    if "term" not in fields:
        raise LabelError(f"found {show(item)}, expected a term, or start and end")
    return Mention(label, read_term(fields["term"]), key=key)


def place_mentions(found: Sequence[Mention], text: str, *, may_be_missing: bool) -> tuple[Mention, ...]:
    """Look for terms in their text.

    A term with one class is labeled wherever it stands. A term with several classes is labeled in the order of the
    list, its last class wherever it stands after that. Where it has more classes than places, the others are at its
    last place, too (our design).

    Args:
        found: the mentions of a text.
        text: the text.
        may_be_missing: keep terms that do not stand in the text, without a place.

    Raises:
        LabelError: a term does not stand in the text, or a stretch does not lie in it.
    """
    placed: list[Mention] = []
    by_term: dict[str, list[Mention]] = {}
    for mention in found:
        if mention.start == NOWHERE and mention.end == NOWHERE:
            by_term.setdefault(mention.term, []).append(mention)
            continue
        check_stretch(mention.start, mention.end, text)
        stretch = text[mention.start : mention.end]
        if mention.term not in ("", stretch):
            raise LabelError(
                f"found the term {show(mention.term)} at {mention.start} to {mention.end}, where the text has "
                f"{show(stretch)}"
            )
        placed.append(mention._replace(term=stretch))
    for term, mentions in by_term.items():
        places = find_term(text, term)
        if not places and not may_be_missing:
            raise LabelError(
                f"found the term {show(term)}, which does not stand in the text {show(text)}", MISSING_HINT
            )
        placed += _give_places(mentions, places, text) if places else dict.fromkeys(mentions)
    marked = [
        mention._replace(cuts_words=mention.start != NOWHERE and cuts_words(text, mention.start, mention.end))
        for mention in dict.fromkeys(placed)
    ]
    return tuple(sorted(marked, key=lambda mention: (mention.start, mention.end)))


def _give_places(mentions: Sequence[Mention], places: Sequence[Place], text: str) -> list[Mention]:
    """Give the mentions of one term its places in the text (see `place_mentions`)."""
    alone = len({mention.label for mention in mentions}) == 1
    chosen = [mentions[0 if alone else min(number, len(mentions) - 1)] for number in range(len(places))]
    labels = {mention.label for mention in chosen}
    pairs = [*zip(chosen, places, strict=True)]
    pairs += [(mention, places[-1]) for mention in mentions if mention.label not in labels]
    # As the text has it: it may be spelled otherwise.
    return [mention._replace(term=text[start:end], start=start, end=end) for mention, (start, end) in pairs]


def place_tags(tags: Tags, text: str) -> tuple[Mention, ...]:
    """Turn tags of words into mentions; an I that follows no B or I of its class begins a mention.

    Raises:
        LabelError: there are more or fewer tags than words.
    """
    words = [match.span() for match in _WORD.finditer(text)]
    if len(words) != len(tags):
        raise LabelError(
            f"found {len(tags)} tags for {len(words)} words (separated by whitespace), expected one tag for each word"
        )
    mentions: list[Mention] = []
    open_label: str | None = None
    for tag, (start, end) in zip(tags, words, strict=True):
        label = None if tag == "O" else tag[2:]
        if tag[0] == "I" and label == open_label:
            mentions[-1] = mentions[-1]._replace(end=end)
        elif label is not None:
            mentions.append(Mention(label, "", start, end, "label"))
        open_label = label
    return place_mentions(mentions, text, may_be_missing=False)
