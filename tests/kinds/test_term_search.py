import unicodedata
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equipoise.kinds.tagging import close_gaps, find_inner
from equipoise.kinds.term_search import cuts_words, find_term

DECOMPOSED = unicodedata.normalize("NFD", "café")


@pytest.mark.parametrize(
    ("text", "term", "found"),
    [
        ("the battery  life", "battery life", ["battery  life"]),
        ("the battery\r\nlife", "battery life", ["battery\r\nlife"]),
        (f"a {DECOMPOSED} here", "café", [DECOMPOSED]),
        ("a café here", DECOMPOSED, ["café"]),
        (unicodedata.normalize("NFD", "한국어 좋다"), "한국어", [unicodedata.normalize("NFD", "한국어")]),
        ("ﬁne food", "fine food", ["ﬁne food"]),
        ("soft\u00adware", "software", ["soft\u00adware"]),
        ("ｆｏｏｄ", "food", ["ｆｏｏｄ"]),
        ("GROSSE Strasse", "große", ["GROSSE"]),
        ("I ❤\ufe0f it", "❤", ["❤\ufe0f"]),
        ("Food food Food", "Food", ["Food", "Food"]),
        ("ba a a", "a a", ["a a"]),
        ("smart", "art", ["art"]),
    ],
)
def test_a_term_is_found_in_any_spelling(text, term, found):
    assert [text[start:end] for start, end in find_term(text, term)] == found


@pytest.mark.parametrize(
    ("text", "term"),
    [
        (DECOMPOSED, "cafe"),  # é is one letter, however it is written
        ("हिंदी", "हिंद"),  # ी is a part of the last letter
        ("ﬁne", "ine"),
        ("rest\u00adaurants", "restaurant"),  # in another spelling only whole words are found
        ("word", "\u200b"),
        ("word", ""),
    ],
)
def test_a_part_of_a_letter_is_no_term(text, term):
    assert find_term(text, term) == []


def test_vowel_signs_are_inside_words():
    assert cuts_words("हिंदी", 0, 2)
    assert not cuts_words("हिंदी में", 0, 5)


@given(st.text(max_size=40), st.data())
def test_what_stands_in_a_text_is_found_unless_a_mark_follows(text, data):
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    places = find_term(text, text[start:end])
    follows = text[end : end + 1]
    if start < end and not (unicodedata.category(follows or " ").startswith("M") or follows in ("\u200c", "\u200d")):
        assert places
    assert all(0 <= low < high <= len(text) for low, high in places)
    assert all(before[1] <= after[0] for before, after in pairwise(places))


def test_tokens_reach_over_marks_that_the_tokenizer_leaves_out():
    text = f"{DECOMPOSED} हिंदी {DECOMPOSED}"
    assert len(text) == 17
    offsets = np.array([(0, 4), (6, 7), (7, 8), (9, 10), (10, 11), (12, 16)])
    assert close_gaps(text, offsets)[:, 1].tolist() == [5, 7, 9, 10, 11, 17]
    # ं has no token of its own: ह, ि and द are one word all the same.
    assert find_inner(text, close_gaps(text, offsets)).tolist() == [False, False, True, True, True, False]


def test_pieces_of_one_character_reach_as_far():
    text = "a👍\ufe0fb"
    offsets = np.array([(0, 1), (1, 2), (1, 2), (3, 4)])
    assert close_gaps(text, offsets).tolist() == [[0, 1], [1, 3], [1, 3], [3, 4]]
