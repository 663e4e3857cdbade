import string
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from equipoise.keys import drawn_as, is_number, loose_key, name_key, normalize, text_key, tidy

# Letters with what is invisible, combines or is compatible with others.
INVISIBLE = "\u200b\u200c\u200d\ufeff\u00ad\u2060\ufe0f\x00"
ODD = f"aZ1.0-+ \t\u00a0\u3000\u0301\u0308\u00a8\ufb01\uff11\u00e9\u0645👩💻❤{INVISIBLE}"
odd = st.text(alphabet=ODD, max_size=8) | st.text(max_size=8)
plain = st.lists(st.text(alphabet=string.ascii_letters + string.digits + string.punctuation, min_size=1)).map(" ".join)


@given(plain)
def test_plain_text_stays_as_it_is(text):
    assert normalize(text) == tidy(text) == text
    assert text_key(text) == text.lower()


@given(odd)
def test_keys_are_keys_of_themselves(text):
    for key in (normalize, text_key, name_key, tidy):
        assert key(key(text)) == key(text)


@given(odd)
def test_what_is_shown_has_the_same_key(text):
    assert name_key(tidy(text)) == name_key(text)
    assert name_key(normalize(text)) == name_key(text)
    assert text_key(normalize(text)) == text_key(text)


@given(odd, odd)
def test_keys_that_are_equal_stay_so_under_looser_ones(one, other):
    if normalize(one) == normalize(other):
        assert name_key(one) == name_key(other)
        assert text_key(one) == text_key(other)
        assert loose_key(one) == loose_key(other)


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
@given(st.text(max_size=6))
def test_unicode_forms_of_a_text_have_one_key(form, text):
    assert normalize(unicodedata.normalize(form, text)) == normalize(text)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("ne\u0301gatif", "n\u00e9gatif"),
        ("\ufeffposi\u00adtive\u200b", "positive"),
        ("very\u00a0 \tgood\n", "very good"),
        ("\uff11\uff12", "12"),
        ("\u22120.5", "-0.5"),
        ("e\u200d\u0301", "\u00e9"),
        ("\ufb01ne", "fine"),
        ("a\x00b", "ab"),
        ("\u200b\u00a0", ""),
        # The flags of England and Scotland differ in nothing but tags.
        ("🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",) * 2,
    ],
)
def test_normalize(text, key):
    assert normalize(text) == key


@pytest.mark.parametrize(
    ("name", "key"),
    [
        *(("1.0", "1"), ("1.00", "1"), (" 1.0 ", "1"), ("\uff11.0", "1"), ("-3.0", "-3"), ("-0.0", "0"), ("0.0", "0")),
        *((name, name) for name in ("1", "1.1", "1.10", "01", "01.0", "1.", "1e0", "v1.0", "1.0.0", "+1", "Positive")),
    ],
)
def test_names_that_are_whole_numbers(name, key):
    assert name_key(name) == key


@pytest.mark.parametrize("name", ["👩\u200d💻", "❤\ufe0f", "می\u200cخواهم", "क्\u200dष"])
def test_joiners_that_a_name_needs_are_shown_but_not_compared(name):
    assert tidy(f" {name}\u200b") == name
    assert normalize(name) == name.translate(dict.fromkeys((0x200C, 0x200D, 0xFE0F)))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Positive", "positive"),
        ("positive", "p\u043esitive"),
        ("negatif", "négatif"),
        ("not offensive", "not_offensive"),
        ("not-offensive", "not\u2013offensive"),
        ("positive.", "positive"),
        ("1.10", "1.1"),
        ("01", "1"),
        ("+1", "1"),
        ("it's", "it\u2019s"),
    ],
)
def test_names_that_look_alike_are_not_the_same(one, other):
    assert name_key(one) != name_key(other)
    assert loose_key(one) == loose_key(other)


@pytest.mark.parametrize(("one", "other"), [("A", "A+"), ("1-2", "12"), ("C", "C++"), ("good", "food"), ("1", "2")])
def test_other_names_do_not_look_alike(one, other):
    assert loose_key(one) != loose_key(other)


def test_letters_that_are_drawn_alike():
    assert drawn_as("Р\u043esitive") == "Positive"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *((text, True) for text in ("1", "-1.5", "+.5", "3.", "1e-3", "٣")),
        *((text, False) for text in ("1_0", "nan", "infinity", "inf", "", "1,5", "0x1", "1 0", "--1")),
    ],
)
def test_numbers_in_figures(text, expected):
    assert is_number(text) is expected
