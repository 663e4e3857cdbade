"""A message is short, in one line, and prints harmlessly, whatever a user's values hold."""

import pickle
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from equipoise.cli import main
from equipoise.errors import MESSAGE_LIMIT, DataError, EquipoiseError, UsageError, did_you_mean, list_some, shorten


def test_a_plain_message_is_shown_as_it_is():
    text = "data.csv, line 3, column 'größe' (task 'polarity'): found '2,5', expected a number."
    assert str(DataError(text)) == text
    assert str(UsageError("one", "two")) == "one\ntwo"


def test_what_does_not_print_is_escaped():
    assert str(UsageError("a\nb\x1b[31m \ud800 \u202e\0")) == r"a\nb\x1b[31m \ud800 \u202e\x00"


@pytest.mark.parametrize("found", ["[" * 100_000, "word " * 100_000, "\0" * 100_000, "one,two, " * 5000])
def test_a_long_value_is_cut_and_both_ends_stay(found):
    message = str(UsageError(f"run.yaml: tasks.a.label: found {found}, expected a text; write it in quotes."))
    assert len(message) <= MESSAGE_LIMIT
    assert message.startswith("run.yaml: tasks.a.label: found ")
    assert message.endswith("expected a text; write it in quotes.")


def test_of_many_problems_the_first_and_the_way_out_are_shown():
    lines = str(DataError(*(f"data.csv, line {number}: found {'x' * 40}." for number in range(9000)), "Mend."))
    first, second, *_, more, last = lines.split("\n")
    assert len(lines) <= MESSAGE_LIMIT
    assert (first, second) == (f"data.csv, line 0: found {'x' * 40}.", f"data.csv, line 1: found {'x' * 40}.")
    assert (more, last) == ("… and 8,994 more.", "Mend.")
    assert len(str(DataError("x" * 600, "y" * 600, "z" * 600))) <= MESSAGE_LIMIT
    assert str(DataError("one", "two", "way out", left_out=3)) == "one\ntwo\n… and 3 more.\nway out"


@given(st.lists(st.text(st.characters(exclude_categories=()), max_size=700), min_size=1, max_size=6))
def test_any_message_is_short_printable_and_survives_pickling(messages):
    error = EquipoiseError(*messages)
    assert len(str(error)) <= MESSAGE_LIMIT
    assert all(line.isprintable() for line in str(error).split("\n"))
    assert str(error).count("\n") < len(messages)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_lists_of_what_there_is_say_how_many_more():
    assert list_some(["a", "b"]) == "'a', 'b'"
    assert list_some(map(str, range(100)), at_most=3) == "'0', '1', '2' and 97 more"
    assert did_you_mean("zz", ["long" * 10 + str(number) for number in range(9)]).endswith(" and 5 more.")
    assert len(did_you_mean("zz", ["x" * 100_000, "y" * 100_000])) < 300


def test_a_text_that_fits_is_not_cut():
    assert shorten("x" * 100, 100) == "x" * 100
    assert shorten("x" * 101, 100) == "x" * 48 + "…" + "x" * 31  # a long word first
    assert shorten("x y" * 40, 100) == ("x y" * 40)[:60] + "…" + ("x y" * 40)[-39:]


@pytest.mark.parametrize(
    "arguments",
    [
        ["x" * 5000],
        ["train", "run.yaml", "--" + "x" * 5000],
        ["compare", "run.yaml", "--seeds", "9" * 5000],
        ["compare", "run.yaml", "--seeds", "\x1b[31m\n"],
        ["evaluate", "m" * 5000, "run.yaml"],
        ["train", "y" * 5000],
    ],
)
def test_a_bad_command_line_is_one_short_line(arguments, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["equipoise", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capsys.readouterr()
    assert ended.value.code in (1, 2)
    assert out == ""
    assert err.startswith(("usage: ", "error: "))
    assert err.endswith("\n")
    assert err.rstrip("\n").isprintable()
    assert len(err) <= 500
