"""What extraction suggests for columns: lists of terms that stand in the text, with or without a polarity."""

from collections.abc import Sequence

from ..listing_proposal import read_listed
from ..spans import NOWHERE
from ..suggestions import LabelColumn, Suggestion
from .mentions import Tags
from .task import Extraction

_CALLED = ("aspect", "term", "entity", "entitie", "target", "mention", "span", "product", "keyword", "complaint")
_LEAST_FOUND = 0.8
"""The share of rows all of whose terms stand in the text from which on bare words are terms, and no labels."""


def propose(columns: Sequence[LabelColumn]) -> list[Suggestion]:
    """Suggest terms where cells hold lists of objects, of words of the text, or a tag for each word."""
    return [suggestion for column in columns if (suggestion := _propose(column)) is not None]


def _propose(column: LabelColumn) -> Suggestion | None:
    listed = read_listed(Extraction, column)
    if listed is None or not listed.items:
        return None
    tagged = any(isinstance(label, Tags) for label in listed.parsed)
    mentions = [mention for label in listed.parsed if not isinstance(label, Tags) for mention in label]
    bare = not tagged and not any(mention.label for mention in mentions)
    called = column.is_called(_CALLED)
    if bare and (listed.found < _LEAST_FOUND * (listed.found + listed.missing) or not called):
        return None  # labels, which the text need not mention
    what = "a tag for each word" if tagged else f"lists of terms{'' if bare else ' with a class'}"
    places = tagged or any(mention.start != NOWHERE for mention in mentions)
    return Suggestion((column.name,), listed.keys, 0.97, what + listed.remark, reads_places=places)
