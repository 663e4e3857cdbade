"""What the columns of a table are for, beside labels: texts, pairs, groups, ids, dates, splits."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from equipoise.keys import name_key, text_key
from equipoise.kinds import words_of

from .facts import ColumnFacts, TableFacts

_TEXTS = {
    **dict.fromkeys(("text", "sentence", "review", "tweet", "comment", "body", "content", "utterance", "passage"), 3.0),
    **dict.fromkeys(("post", "message", "document", "feedback", "description", "verbatim", "article", "premise"), 2.5),
    **dict.fromkeys(("texto", "texte", "bewertung", "kommentar", "commentaire", "reseña", "testo", "tekst"), 2.5),
    **dict.fromkeys(("headline", "question", "snippet", "statement", "remark", "note", "abstract", "paragraph"), 1.5),
    **dict.fromkeys(("title", "subject", "summary", "answer"), 0.5),
}
"""Words in the names of columns of texts, with how much they say."""
_PAIRS = {"target", "aspect", "entity", "company", "ticker", "term", "hypothesis", "towards", "stock"}
_SURE_PAIRS = {"target", "hypothesis", "towards"}
"""Those that need not stand in the text."""
_GROUPS = {
    *("author", "user", "username", "userid", "writer", "speaker", "reviewer", "customer", "patient", "thread"),
    *("conversation", "session", "account", "handle", "participant", "respondent", "document", "doc", "dialog"),
    *("dialogue", "submission", "reviewerid", "authorid", "docid", "documentid", "autor", "auteur", "kunde"),
    *("verfasser", "nutzer", "benutzer", "utilisateur", "usuario", "cliente", "autore", "utente"),
}
_POINTERS = {"name", "id", "handle", "key", "screen_name"}
"""What objects are told apart by."""
_PERHAPS_GROUPS = {
    "product",
    "item",
    "asin",
    "movie",
    "film",
    "restaurant",
    "hotel",
    "app",
    "book",
    "business",
    "parent",
}
_IDS = {
    "id",
    "uuid",
    "guid",
    "index",
    "idx",
    "key",
    "row",
    "unnamed",
    "number",
    "nr",
    "no",
    "hash",
    "url",
    "link",
    "uri",
}
_DATES = {"date", "time", "timestamp", "datetime", "created", "updated", "year", "month", "day", "datum", "fecha"}
_LANGUAGES = {"lang", "language", "locale", "sprache", "langue", "idioma"}
_SPLITS = {"split", "fold", "partition", "subset", "set"}
_SPLIT_VALUES = {"train", "training", "dev", "valid", "validation", "val", "test", "testing", "eval", "trial"}
_SPREADS = {"disagreement", "std", "stdev", "sd", "stddev", "deviation", "spread"}
_META = {
    *("domain", "source", "platform", "channel", "country", "region", "device", "site", "city", "gender", "age"),
    *("likes", "like", "retweet", "upvote", "downvote", "helpful", "vote", "count", "length", "follower", "rater"),
    *("annotator", "worker", "verified", "price", "size", "version", "status", "store", "brand", "vendor", "style"),
    *("preis", "prix", "precio", "prezzo", "betrag", "anzahl", "menge", "bearbeiter", "land", "alter", "geschlecht"),
}
_DATE = re.compile(
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}([T ].*)?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}( .*)?|\d{1,2}:\d{2}(:\d{2})?"
    r"|(mon|tue|wed|thu|fri|sat|sun)[a-z]*,? .*\d{4}.*|[A-Z][a-z]{2,8} \d{1,2},? \d{4}.*",
    re.IGNORECASE,
)
_URL = re.compile(r"(https?://|www\.)\S+", re.IGNORECASE)
_NUMBERED = re.compile(r"(.*?)[-_ ]?([12ab])", re.IGNORECASE)
MOST_SUBSETS = 20
_LEAST_GROUPS = 30
"""Groups from which on a split by them leaves no split empty."""


@dataclass
class Roles:
    """What the columns of a table are for.

    Attributes:
        text: the column of the text; "" where there is none.
        other_texts: further columns that may be the text, the likeliest first.
        text_is_sure: whether no other column is nearly as likely.
        pair: the column of a second text; "" for none.
        maybe_pair: a column that may be one, with why it is not taken.
        group: the column by which rows are kept together; "" for none.
        maybe_groups: columns that may be one, with why they are not taken.
        spread: the column of the annotators' disagreement; "" for none.
        subsets: columns with a few values by which scores can be told apart.
        split: the column that names splits; "" for none.
        meta: columns whose names say that they are facts about a row, and no labels.
        ignored: columns that are not read, with what they seem to be.
    """

    text: str = ""
    other_texts: list[str] = field(default_factory=list)
    text_is_sure: bool = True
    pair: str = ""
    maybe_pair: tuple[str, str] = ("", "")
    group: str = ""
    maybe_groups: dict[str, str] = field(default_factory=dict)
    spread: str = ""
    subsets: list[str] = field(default_factory=list)
    split: str = ""
    meta: set[str] = field(default_factory=set)
    ignored: dict[str, str] = field(default_factory=dict)

    def is_code(self, column: ColumnFacts) -> bool:
        """Whether a column holds too many names of authors or things to be labels."""
        return column.name in self.maybe_groups and column.different >= _LEAST_GROUPS

    @property
    def taken(self) -> set[str]:
        """The columns that hold no labels."""
        return {self.text, self.pair, self.group, self.spread, self.split, *self.ignored} - {""}


def find_roles(facts: TableFacts, text: str | None = None) -> Roles:
    """Find out what the columns of a table are for.

    Args:
        facts: what is known of it.
        text: the column of the text, where that is known.
    """
    roles = Roles()
    for name, column in facts.columns.items():
        if what := _find_other(column, facts):
            roles.ignored[name] = what
        elif not roles.split and _is_split(column):
            roles.split = name
        elif not roles.spread and _is_spread(column):
            roles.spread = name
        elif _called(column, _META):
            roles.meta.add(name)
            if column.counts is not None and 2 <= len({*map(name_key, column.counts)}) <= MOST_SUBSETS:
                roles.subsets.append(name)
    _choose_text(facts, roles, text)
    _choose_pair(facts, roles)
    _choose_group(facts, roles)
    return roles


def _called(column: ColumnFacts, words: Iterable[str]) -> bool:
    """Whether a column's name holds one of some words: of `user.name` and `user.id` all of it, else its last part."""
    outer, _, last = column.name.rpartition(".")
    name = column.name if outer and last.lower() in _POINTERS else last
    return not words_of(name).isdisjoint(words)


def _find_other(column: ColumnFacts, facts: TableFacts) -> str:
    """Say what a column is that is neither a text nor a label: "" where it may be one."""
    if not column.filled:
        return "empty"
    cells = [cell for cell in facts.cells(column.name) if cell is not None]
    texts = [cell for cell in cells if isinstance(cell, str)]
    if cells and not isinstance(cells[0], str | int | float | bool | list | dict):
        return "dates" if hasattr(cells[0], "isoformat") else "no text and no number"
    if texts and _share(texts, _DATE) > 0.9:
        return "dates"
    if texts and _share(texts, _URL) > 0.9 and all(" " not in text.strip() for text in texts):
        return "links"
    if _called(column, _LANGUAGES) and column.different <= 100:
        return "languages"
    if _called(column, _DATES) and column.is_numeric and (column.low or 0) >= 1000:
        return "dates"
    unique = facts.rows > 1 and len(set(map(str, cells))) == len(cells) and column.lists == 0
    if unique and _called(column, _IDS) and _mean_words(cells) < 1.5:
        return "ids"
    whole = all(isinstance(cell, int) or str(cell).isdecimal() for cell in cells)
    if unique and facts.rows > 20 and whole and column.numbers == column.filled:
        return "ids"
    return "the same everywhere" if column.different == 1 and column.filled == facts.rows > 1 else ""


def _share(texts: Sequence[str], pattern: re.Pattern[str]) -> float:
    return sum(pattern.fullmatch(text.strip()[:200]) is not None for text in texts) / len(texts)


def _mean_words(cells: Sequence[Any]) -> float:
    return sum(len(str(cell).split()) for cell in cells) / max(1, len(cells))


def _is_split(column: ColumnFacts) -> bool:
    if column.counts is None or not _called(column, _SPLITS):
        return False
    return {name_key(value).lower() for value in column.counts} <= _SPLIT_VALUES


def _is_spread(column: ColumnFacts) -> bool:
    lowest = min((number for number in (column.low, column.comma_low) if number is not None), default=-1)
    return column.is_numeric and not (column.missing or column.odd) and lowest >= 0 and _called(column, _SPREADS)


def _choose_text(facts: TableFacts, roles: Roles, text: str | None) -> None:
    scores = {name: _score_text(column, facts) for name, column in facts.columns.items() if name not in roles.taken}
    ranked = sorted((name for name, score in scores.items() if score > 0), key=lambda name: -scores[name])
    if text is not None:
        ranked = [text, *(name for name in ranked if name != text)]
    if ranked:
        roles.text, *roles.other_texts = ranked
        second = scores[ranked[1]] if len(ranked) > 1 else 0.0
        roles.text_is_sure = text is not None or second < 0.75 * scores[ranked[0]]


def _score_text(column: ColumnFacts, facts: TableFacts) -> float:
    """Return how likely a column is that of the text, from its name, its length, and how much it differs."""
    cells = [cell for cell in facts.cells(column.name) if cell is not None]
    if column.lists or column.is_numeric or not cells or not all(isinstance(cell, str) for cell in cells):
        return 0.0
    named = max((_TEXTS[word] for word in words_of(column.name) & _TEXTS.keys()), default=0.0)
    # Of review_id and text_type the last word says what they are.
    named *= 0.0 if _called(column, _IDS | {"type", "length", "label"}) else 1.0
    words, different = _mean_words(cells), len(set(cells)) / len(cells)
    if (words < 2 and named < 2) or (different < 0.1 and named < 2) or (words < 3 and not named):
        return 0.0
    return (named + math.log2(1 + words)) * (0.5 + 0.5 * different) * column.filled / facts.rows


def _choose_pair(facts: TableFacts, roles: Roles) -> None:
    """Choose the column of a second text: what the text says something about, or a second sentence."""
    if not roles.text:
        return
    for name, column in facts.columns.items():
        if name in roles.taken or column.lists or column.is_numeric or name in roles.meta:
            continue
        named = _called(column, _PAIRS) or _are_numbered(roles.text, name)
        inside = _share_inside(facts, roles.text, name)
        if not (named or (inside > 0.8 and column.different >= 10)):
            continue
        if column.filled < facts.rows or column.missing:
            why = f"{facts.rows - column.filled + column.missing.total()} rows have none, and every row needs one"
            roles.maybe_pair = (name, why)
        elif (
            inside > 0.3
            or _called(column, _SURE_PAIRS)
            or _tells_rows_apart(facts, roles.text, name)
            or _are_numbered(roles.text, name)
        ):
            roles.pair = name
            return
        else:
            roles.maybe_pair = (name, "its words hardly stand in the texts")


def _are_numbered(text: str, other: str) -> bool:
    """Whether two columns are called sentence1 and sentence2, or text_a and text_b."""
    one, two = _NUMBERED.fullmatch(text), _NUMBERED.fullmatch(other)
    if one is None or two is None or one[1] != two[1]:
        return words_of(text) & {"premise", "question"} != set() and words_of(other) & {"hypothesis", "answer"} != set()
    return (one[2].lower(), two[2].lower()) in (("1", "2"), ("a", "b"))


def _share_inside(facts: TableFacts, text: str, name: str) -> float:
    """Return the share of rows whose text holds the other cell."""
    rows = [
        (str(row.get(text) or "").casefold(), str(row[name]).strip().strip("$#@").casefold())
        for row in facts.sample
        if row.get(name) is not None
    ]
    return sum(bool(cell) and cell in whole for whole, cell in rows) / max(1, len(rows))


def _tells_rows_apart(facts: TableFacts, text: str, name: str) -> bool:
    """Whether texts repeat, and each time with another cell."""
    pairs: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in facts.sample:
        pairs[text_key(str(row.get(text) or ""))][str(row.get(name))] += 1
    repeated = [counts for key, counts in pairs.items() if key and counts.total() > 1]
    apart = sum(len(counts) == counts.total() for counts in repeated)
    return len(repeated) >= max(2, 0.02 * len(facts.sample)) and apart > 0.8 * len(repeated)


def _choose_group(facts: TableFacts, roles: Roles) -> None:
    """Choose the column of authors or documents, whose rows must not stand on both sides of a split."""
    for name, column in facts.columns.items():
        if name in roles.taken or column.lists or _called(column, _META):
            continue
        sure = _called(column, _GROUPS)
        if not (sure or _called(column, _PERHAPS_GROUPS)):
            continue
        cells = [cell for cell in facts.cells(name) if cell is not None]
        different = column.different if column.counts is not None else len(set(map(str, cells)))
        rows = column.filled if column.counts is not None else len(cells)
        if different == rows or _mean_words(cells) > 4:
            continue  # each row its own, or texts
        if different < _LEAST_GROUPS:
            roles.maybe_groups[name] = f"{different} different ones are too few to split by"
        elif not sure:
            roles.maybe_groups[name] = "to keep its rows on one side of the split"
        elif roles.group:
            roles.maybe_groups[name] = "another column to split by"
        else:
            roles.group = name
