"""What each kind of task suggests for columns that it has not seen."""

from collections import Counter

import pyarrow
import pytest

import count_kind
from equipoise.kinds import LabelColumn, LabelError, list_kinds, parse_number, registry
from equipoise.proposing import propose

TEXT = "the food was good but the staff was rude"


def column(name, cells, text=TEXT, complete=True):
    filled = [cell for cell in cells if cell is not None]
    counts = None if any(isinstance(cell, list) for cell in filled) else Counter(map(str, filled))
    try:
        numbers = [parse_number(cell) for cell in filled]
    except LabelError:
        numbers = []
    low, high = (min(numbers), max(numbers)) if numbers else (None, None)
    return LabelColumn(name, cells, [text] * len(cells), counts, low, high, complete)


def best(*columns):
    """The surest suggestion of all kinds, as (kind, keys)."""
    found = [(name, one) for name, kind in list_kinds().items() for one in kind.propose(columns)]
    name, suggestion = max(found, key=lambda item: item[1].fit)
    return name, dict(suggestion.keys), suggestion


SCALE = ["very negative", "negative", "neutral", "positive", "very positive"]


@pytest.mark.parametrize(
    ("name", "cells", "kind", "keys"),
    [
        ("label", ["positive", "negative"], "classification", {"classes": ["negative", "positive"]}),
        ("irony", [0, 1], "classification", {"classes": ["0", "1"]}),
        ("answer", ["yes", "no", "1e3"], "classification", {"classes": ["1e3", "no", "yes"]}),
        ("label", ["1.0", "0", "1", None], "classification", {"classes": ["0", "1"]}),
        ("stars", ["5", "4", "2"], "ordinal", {"classes": ["1", "2", "3", "4", "5"]}),
        ("level", [-1, 0, 1, 2], "ordinal", {"classes": ["-1", "0", "1", "2"]}),
        ("opinion", SCALE, "ordinal", {"classes": SCALE}),
        ("label", ["Very_Negative", "negative", "Neutral", "POSITIVE"], "ordinal", None),
        (
            "how_often",
            ["always", "often", "never", "rarely"],
            "ordinal",
            {"classes": ["never", "rarely", "often", "always"]},
        ),
        ("stars", ["1 star", "3 stars", "5 stars", "2 stars"], "ordinal", None),
        ("Urteil", ["+", "--", "0", "++", "-"], "ordinal", {"classes": ["--", "-", "0", "+", "++"]}),
        ("Urteil", ["+", "o", "-"], "classification", None),
        ("drawn", ["★★☆", "★★★", "★☆☆", "☆☆☆"], "ordinal", {"classes": ["☆☆☆", "★☆☆", "★★☆", "★★★"]}),
        ("Häufigkeit", ["oft", "nie", "immer", "selten"], "ordinal", {"classes": ["nie", "selten", "oft", "immer"]}),
        ("queue", ["1 - mail", "2 - phone", "10 - shop"], "classification", None),
        ("rating", ["10: top", "2: poor", "1: bad"], "ordinal", {"classes": ["1: bad", "2: poor", "10: top"]}),
        ("score", [0.5, -0.25, 0.75, -0.9], "regression", {"range": [-1, 1]}),
        ("score", ["3.5", "1.25", "4.75"], "regression", {"range": [1, 5]}),
        ("score", [17.3, 1450.2, 903.1], "regression", {"range": [17, 1500]}),
        ("emotions", [["joy"], ["joy", "fear"], []], "multilabel", {}),
        ("emotions", ["joy,fear", "joy", "fear"], "multilabel", {}),
        ("emotions", ["joy; fear", "joy", "fear"], "multilabel", {"separator": ";"}),
        ("emotions", ["['joy', 'fear']", "['joy']", "[]"], "multilabel", {}),
        ("aspects", [[{"term": "food", "polarity": "positive"}], []], "extraction", {}),
        ("aspects", ['[{"term": "food", "polarity": "positive"}]', "[]"], "extraction", {}),
        (
            "aspects",
            [[{"term": "drinks", "polarity": "bad"}], [{"term": "food", "polarity": "good"}]],
            "extraction",
            None,
        ),
        ("terms", [["food"], ["staff", "food"]], "extraction", {}),
        ("tags", ["O B-FOOD O O O O B-FOOD O O", "O O O O O O O O O"], "extraction", {}),
        ("opinions", [[{"term": "food", "opinion": "good", "polarity": "positive"}]], "triplets", {}),
        ("quads", [[{"category": "f", "term": None, "opinion": "good", "polarity": "p"}]], "quads", {}),
        ("title", ["Good food here", "Rude staff there", "Never come again"], "generation", {"max_new_tokens": 16}),
    ],
)
def test_the_kind_of_a_column_is_known(name, cells, kind, keys):
    times = 1 if kind == "generation" else 30
    found, said, suggestion = best(column(name, cells * times))
    assert found == kind
    assert keys is None or said == keys
    assert suggestion.why
    assert bool(suggestion.needs) == (kind == "generation")


def test_words_of_a_scale_are_ordered_in_any_spelling():
    _, said, _ = best(column("label", ["Very_Negative", "negative", "Neutral", "POSITIVE"] * 30))
    assert said == {"classes": ["Very_Negative", "negative", "Neutral", "POSITIVE"]}
    _, said, _ = best(column("stars", ["1 star", "3 stars", "5 stars", "2 stars"] * 30))
    assert said == {"classes": ["1 star", "2 stars", "3 stars", "5 stars"]}


def test_columns_of_zero_and_one_are_one_task():
    flags = [column("joy", [0, 1] * 20), column("fear", ["1", "0"] * 20), column("anger", [True, False] * 20)]
    found, said, suggestion = best(*flags, column("always", [1, 1] * 20))
    assert found == "multilabel"
    assert suggestion.columns == ("joy", "fear", "anger")
    assert said == {"label": ["joy", "fear", "anger"]}


def test_terms_that_are_not_in_the_text_are_skipped():
    _, said, suggestion = best(
        column("aspects", [[{"term": "drinks", "polarity": "bad"}], [{"term": "food", "polarity": "x"}]])
    )
    assert said == {"missing_terms": "skip"}
    assert "1" in suggestion.why


def test_labels_that_count_characters_are_told():
    _, _, suggestion = best(column("spans", [[{"start": 4, "end": 8, "polarity": "positive"}]]))
    assert suggestion.reads_places


def test_names_are_listed_only_if_all_rows_were_read():
    _, said, _ = best(column("label", ["positive", "negative"] * 20, complete=False))
    assert said == {}


@pytest.mark.parametrize(
    "cells",
    [[f"a long text that nobody would take for a class, number {n}" for n in range(30)], [{"a": 1}] * 5, [None] * 5],
    ids=["texts", "objects", "nothing"],
)
def test_nothing_is_suggested_for_what_holds_no_labels(cells):
    columns = [column("data", cells)] if not isinstance(cells[0], dict) else [LabelColumn("data", cells, [TEXT] * 5)]
    assert [one for kind in list_kinds().values() for one in kind.propose(columns)] == []


def test_a_kind_of_somebody_else_takes_part(monkeypatch):
    monkeypatch.setitem(registry._KINDS, "count", count_kind.KIND)
    rows = [{"text": f"a text of words, number {number}", "useful_votes": number % 30} for number in range(200)]
    (task,) = propose({"reviews": pyarrow.Table.from_pylist(rows)}).config().tasks.values()
    assert (task.kind, task.label, task.largest) == ("count", "useful_votes", 29)
