"""Labels that are lists of terms and opinions, classes in order, and metrics of classes: what cannot be meant."""

import json
from typing import Any

from .case import TRAIN, Case, World

_TEXT = "the screen is good and the fan is loud"
_GOOD: dict[str, Any] = {
    "aspects": [{"term": "screen", "polarity": "positive"}, {"term": "fan", "polarity": "negative"}],
    "triplets": [{"term": "screen", "opinion": "good", "polarity": "positive"}],
    "quads": [{"category": "display", "term": "screen", "opinion": "good", "polarity": "positive"}],
    "opinion": "ok",
}
_LABELS = {"extraction": "aspects", "triplets": "triplets", "quads": "quads", "ordinal": "opinion"}


def _case(name: str, words: str, kind: str, label: Any = None, code: int = 1, **keys: Any) -> Case:
    """A task of one kind, whose fourth row has a bad label, or which has bad keys."""
    column = _LABELS[kind]

    def write(world: World) -> None:
        rows = [{"text": f"{_TEXT} {number}", **_GOOD} for number in range(30)]
        rows = [row | {"opinion": ["bad", "ok", "good"][number % 3]} for number, row in enumerate(rows)]
        if label is not None:
            rows[3] |= {column: label}
        world.write("rows.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
        task = {"source": "s", "kind": kind, "label": column, **keys}
        world.write("run.yaml", json.dumps(world.run(sources={"s": {"path": "rows.jsonl"}}, tasks={"t": task})))

    return Case("aspects", name, words, TRAIN, write, code)


def _term(**fields: Any) -> list[dict[str, Any]]:
    return [{"term": "screen", "polarity": "positive", **fields}]


def _extraction(name: str, label: Any, words: str) -> Case:
    return _case(name, words, "extraction", label)


def _key(name: str, words: str, kind: str, **keys: Any) -> Case:
    return _case(name, words, kind, code=2, **keys)


_PLACE = "rows.jsonl, line 4, column 'aspects' (task 't'): "
_SCALE = ["bad", "ok", "good"]

CASES = [
    _extraction("a term that is not in the text", _term(term="zebra"), "in its text (missing_terms: skip)"),
    _extraction("a place outside the text", [{"start": 0, "end": 99}], "expected whole numbers, 0 ≤ start < end ≤ 40"),
    _extraction("a place in fractions", [{"start": 4.0, "end": 10.0}], f"{_PLACE}found a span from 4.0 to 10.0"),
    _extraction("a place backwards", [{"start": 10, "end": 4}], "found a span from 10 to 4"),
    _extraction("a start alone", [{"start": 4}], "without end, expected start and end, or neither"),
    _extraction("another term at a place", _term(start=4, end=9), "found the term 'screen' at 4 to 9, where the text"),
    _extraction("an unknown field", _term(id=1), "found the field 'id'"),
    _extraction("two classes of a term", _term(label="x"), "with both a polarity and a label"),
    _extraction("a list in a list", [["screen", "positive"]], "found ['screen', 'positive'] in a list"),
    _extraction("one object", _term()[0], "expected a list such as"),
    _extraction("a word", "screen", "expected a list such as"),
    _extraction("a number of terms", 3, f"{_PLACE}found 3, expected a list"),
    _extraction("an empty term", _term(term=" "), "expected words of the text"),
    _extraction("too few tags", ["O", "B-positive"], "found 2 tags for 10 words"),
    _extraction("tags of another scheme", ["O", "S-positive"], "found the tag 'S-positive', expected O, B-CLASS"),
    _extraction("a term without a class", ["screen"], "found no polarity of the term 'screen'"),
    _case("a class in another case", "expected one of 'Positive'", "extraction", classes=["Positive", "Negative"]),
    _case("an opinion without words", "without opinion", "triplets", [{"term": "fan", "polarity": "negative"}]),
    _case(
        "words that are not in the text", "found the words 'raw'", "triplets", [{**_GOOD["triplets"][0], "term": "raw"}]
    ),
    _case("NULL for null", "what is implicit is null, in quads", "quads", [{**_GOOD["quads"][0], "term": "NULL"}]),
    _case("an unlisted category", "list every name in the run file (categories)", "quads", categories=["price"]),
    _key("a category twice", "'categories' is ['a', 'a']", "quads", categories=["a", "a"]),
    _key("a category in two spellings", "one category in two spellings", "quads", categories=["a b", "a  b"]),
    _key("an empty class", "tasks.t.classes: found ' ', expected names", "extraction", classes=[" "]),
    _key("what to do with missing terms", "expected 'fail' or 'skip'", "extraction", missing_terms="drop"),
    _key("a key of another kind", "'categories' goes with kind: quads", "triplets", categories=["a"]),
    _key("a metric of another kind", "expected one of extraction_f1", "extraction", metric="triplet_f1"),
    _case("words without an order", "from the lowest to the highest (classes)", "ordinal"),
    _case("a class that the scale lacks", "found class 'good', expected one of", "ordinal", classes=_SCALE[:2]),
    _key("a scale of one class", "expected two or more different names", "ordinal", classes=["ok"]),
    _key("a metric of an unknown class", "names the class 'Ok'", "ordinal", classes=_SCALE, metric={"f1": "Ok"}),
    _key("a metric without its class", "{f1: CLASS}", "ordinal", classes=_SCALE, metric="f1"),
    _key(
        "a metric of a class twice",
        "names the class 'ok ' twice",
        "ordinal",
        classes=_SCALE,
        metric={"mean_f1": ["ok", "ok "]},
    ),
]
