import json
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equipoise.kinds import Classification, LabelError, Multilabel, NameIndex, Regression
from equipoise.kinds.names import read_list, seems_list

COMMON = ("t", "source", "text", None, "label", "macro_f1")


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("['joy', 'trust']", ["joy", "trust"]),
        ('["joy","trust"]', ["joy", "trust"]),
        ("['joy' 'trust']", ["joy", "trust"]),
        ("['joy'\n 'trust']", ["joy", "trust"]),
        (" ['joy'] ", ["joy"]),
        ("('joy', 'trust')", ["joy", "trust"]),
        ("('joy',)", ["joy"]),
        ("{'joy', 'trust'}", ["joy", "trust"]),
        ("frozenset({'joy'})", ["joy"]),
        ("set()", []),
        ("array(['joy', 'trust'], dtype=object)", ["joy", "trust"]),
        ('["it\'s", \'a "b"\']', ["it's", 'a "b"']),
        (r"['caf\xe9']", ["café"]),
        (r'["caf\u00e9"]', ["café"]),
        ("[1, 2]", [1, 2]),
        ("[1 2]", [1, 2]),
        ("[0. 1.]", [0.0, 1.0]),
        ("[]", []),
        ("()", []),
    ],
)
def test_lists_that_are_written_as_text(text, items):
    assert read_list(text) == items
    assert seems_list(text)


@pytest.mark.parametrize(
    "text",
    [
        *("joy", "", "[", "[joy, trust]", "[other]", "['joy'", "['joy'trust']", "['a''b']", "['a', 'b' 'c']"),
        *(
            "[nan]",
            "[None]",
            "[true]",
            "[['a']]",
            "{'a': 1}",
            '{"a": 1}',
            "(1)",
            "[__import__('os')]",
            "[1_0]",
            "['a', ]]",
        ),
        "['" + "a" * 20_000 + "']",
        "[" * 5000 + "]" * 5000,
    ],
)
def test_what_is_no_such_list(text):
    assert read_list(text) is None


@given(st.lists(st.text(max_size=6) | st.integers(-99, 99), max_size=4))
def test_lists_as_python_and_json_write_them_are_read_back(items):
    assert read_list(json.dumps(items)) == items
    assert read_list(json.dumps(items, ensure_ascii=False)) == items
    assert read_list(str(items)) == items
    assert read_list("[" + " ".join(map(repr, items)) + "]") == items


@given(st.text(alphabet="[](){}'\"\\, ab1.", max_size=12))
def test_no_label_has_brackets_and_quotes(text):
    names = ()
    with suppress(LabelError):
        names = Multilabel(*COMMON).parse(text)
    assert not any(seems_list(name) for name in names)
    assert not any(name.startswith(("[", "{")) or name.endswith(("]", "}")) for name in names)


@pytest.mark.parametrize(
    "cell",
    ["[joy, trust]", "['joy', nan]", "['joy' ... 'trust']", "{'joy': 1}", "['joy'|'trust']", "joy, 'trust'", "nan"],
)
def test_a_list_that_cannot_be_read_is_refused(cell):
    with pytest.raises(LabelError, match=r"list written as text|expected a label"):
        Multilabel(*COMMON).parse(cell)


def test_listed_labels_may_have_any_name():
    task = Multilabel(*COMMON, classes=("[joy]", "nan"))
    assert task.parse("[joy],nan") == ("[joy]", "nan")
    assert task.parse("[joy]") == ("[joy]",)
    assert Classification(*COMMON, classes=("['a']", "b")).parse("['a']") == "['a']"


@pytest.mark.parametrize("cell", ["['joy']", '["joy", "trust"]', "[1]", "[]", "array(['joy'], dtype=object)"])
def test_a_class_is_no_list_as_text(cell):
    with pytest.raises(LabelError, match="a list written as text, expected one class"):
        Classification(*COMMON).parse(cell)


@pytest.mark.parametrize("cell", ["b'joy'", 'b"joy"', r"b'n\xc3\xa9gatif'"])
def test_bytes_as_text_are_no_class(cell):
    with pytest.raises(LabelError, match="bytes written as text, expected"):
        Classification(*COMMON).parse(cell)
    with pytest.raises(LabelError, match="bytes written as text, expected"):
        Multilabel(*COMMON).parse([cell])
    assert Classification(*COMMON, classes=(cell, "b")).parse(cell) == cell


@pytest.mark.parametrize("cell", ["[other]", "(none)", "A+", "it's", "1.10", "007"])
def test_a_class_may_have_brackets(cell):
    assert Classification(*COMMON).parse(cell) == cell


@pytest.mark.parametrize("cell", [b"\xff", float("inf"), "\u200b", "\u00a0"])
def test_what_is_no_class(cell):
    with pytest.raises(LabelError, match="expected a class"):
        Classification(*COMMON).parse(cell)


def test_classes_are_found_in_any_spelling():
    task = Classification(*COMMON, classes=("1", "n\u00e9gatif", "very good"))
    assert [task.encode(task.parse(cell)) for cell in (1.0, "1.00", "\uff11")] == [0, 0, 0]
    assert task.encode(task.parse("ne\u0301gatif\u200b")) == 1
    assert task.encode(task.parse(" very\u00a0 good")) == 2
    with pytest.raises(LabelError, match="found class 'Very good', expected one of"):
        task.parse("Very good")
    many = Multilabel(*COMMON, classes=("1", "n\u00e9gatif"))
    assert many.encode(many.parse(["1.0", "ne\u0301gatif"])) == [1, 1]
    asked = Classification(*COMMON, classes=("1", "2"), verbalize={"1.0": "bad", "2": "good"}).fit(["1", "2"])
    assert asked.verbalize == {"1": "bad", "2": "good"}


def test_of_known_names_the_very_one_comes_first():
    index = NameIndex(["1.0", "1"])
    assert [index.find(name) for name in ("1", "1.0", "1.00", "2")] == [1, 0, 0, None]


@pytest.mark.parametrize("cell", ["1_0", "infinity", "-inf", "nan", "0x1", b"1"])
def test_what_python_takes_for_a_number_and_nobody_else_is_refused(cell):
    with pytest.raises(LabelError, match="expected a number"):
        Regression(*COMMON).parse(cell)


def test_full_width_digits_are_digits():
    assert Regression(*COMMON).parse("\uff11.\uff15") == 1.5


@pytest.mark.parametrize("bounds", [(0.0, 0.3), (-0.7, 0.1), (1 / 3, 2 / 3)])
def test_scores_that_are_answered_are_labels(bounds):
    task = Regression(*COMMON, range=bounds)
    scores = np.array([-9, bounds[0], bounds[1], 9], dtype=np.float32).clip(*map(np.float32, bounds)).astype(float)
    assert (scores < bounds[0]).any() or (scores > bounds[1]).any()
    for score in scores:
        answered = task.answer(score)["score"]
        assert bounds[0] <= answered <= bounds[1]
        assert task.parse(repr(answered)) == answered
        # As a file of 32-bit numbers has it.
        assert task.parse(float(np.float32(answered))) == pytest.approx(answered)
    clipped = task.clip(scores)
    assert bounds[0] <= clipped.min() < clipped.max() <= bounds[1]


def test_a_score_outside_the_range_by_more_than_rounding_is_refused():
    with pytest.raises(LabelError, match=r"found 0\.300001, expected a number from 0 to 0\.3"):
        Regression(*COMMON, range=(0.0, 0.3)).parse(0.300001)
