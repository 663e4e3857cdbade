"""One normalization for whatever is compared: classes, groups, subsets, splits, texts.

Texts and labels are stored as they are written; only the keys by which they are compared are normalized.
"""

import re
import unicodedata
from functools import lru_cache

_CONTROLS = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f]")
# Characters that are drawn as nothing (Unicode's Default_Ignorable_Code_Point). The tags E0020 to E007F stay: they
# alone tell the flags of England, Scotland and Wales apart.
_IGNORED = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e001f\U000e0080-\U000e0fff"
    "\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f]"
)
# Of them, joiners and variation selectors are part of how emoji and many scripts are written.
_JOINERS = "\u200c\u200d\ufe0e\ufe0f"
_NOT_JOINERS = re.compile(f"(?![{_JOINERS}]){_IGNORED.pattern}")
# They join what is not ASCII; behind the last letter only the choice between the emoji and the text is of use.
_UNNEEDED = re.compile(
    f"(?:^|(?<=[\x00-\x7f]))[{_JOINERS}]+|[{_JOINERS}]+(?=[\x00-\x7f])|(?:(?!\ufe0f$)[{_JOINERS}])+$"
)
_WHOLE_FLOAT = re.compile(r"([+-]?)(0|[1-9][0-9]*)\.0+", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")
# Cyrillic, Greek and other letters that look like Latin ones, and the kinds of dashes and quotation marks.
_LOOK_ALIKES = str.maketrans(
    "АВЕКМНОРСТУХІЅЈԚԜавекморстухіѕјԛԝһԁΑΒΕΖΗΙΚΜΝΟΡΤΥΧαεικνορτυχıɑɡ‐‑‒–—−’‘ʼ′`“”„«»",
    "ABEKMHOPCTYXISJQWabekmopctyxisjqwhdABEZHIKMNOPTYXaeikvoptuxiag------'''''\"\"\"\"\"",
)
_MINUS = "\u2212"
_MARKS = re.compile("[\u0300-\u036f]")
_SEPARATORS = re.compile(r"(?<=\w)[-_ ]+(?=\w)")


def normalize(text: str) -> str:
    """Return the form in which two spellings count as the same.

    Unicode NFKC (which also makes full-width digits digits), no invisible characters (byte order marks, zero-width
    spaces and joiners, soft hyphens), a hyphen for a minus sign, whitespace collapsed and stripped. Plain ASCII stays
    as it is.
    """
    if text.isascii():
        if not text.isprintable():
            text = _CONTROLS.sub("", text)
    else:
        text = unicodedata.normalize("NFKC", text).replace(_MINUS, "-")
        visible = _IGNORED.sub("", text)
        # What stood between a letter and its accent may be gone.
        text = text if visible == text else unicodedata.normalize("NFKC", visible)
    return " ".join(text.split())


def is_blank(text: str) -> bool:
    """Whether nothing of a text can be seen."""
    return not text.strip() or (not (text.isascii() and text.isprintable()) and not normalize(text))


def text_key(text: str) -> str:
    """Return the form in which two texts count as the same between splits: `normalize`, and case-folded."""
    text = normalize(text)
    return text.lower() if text.isascii() else normalize(text.casefold())


@lru_cache(maxsize=10_000)
def name_key(name: str) -> str:
    """Return the form in which two names (classes, groups, subsets) count as the same.

    It is `normalize`, and whole numbers that are written as floats, as pandas writes a column with empty cells, are
    whole numbers: 1.0 and 1.00 are 1. Nothing else is: 1.10 and 1.1 may be versions, 01 and 1 may be codes.
    """
    name = normalize(name)
    whole = _WHOLE_FLOAT.fullmatch(name)
    if whole is None:
        return name
    sign, digits = whole.groups()
    return digits if digits == "0" else sign + digits


def tidy(name: str) -> str:
    """Return a name as it is shown: `normalize`, but with the joiners that emoji and scripts other than Latin need."""
    if name.isascii():
        return normalize(name)
    name = " ".join(_NOT_JOINERS.sub("", unicodedata.normalize("NFKC", name)).split())
    name = _UNNEEDED.sub("", unicodedata.normalize("NFKC", name))
    return " ".join(unicodedata.normalize("NFKC", name).split())


def loose_key(name: str) -> str:
    """Return what two names have in common that look alike, but are not the same.

    Case, accents, letters of other alphabets that look like Latin ones, separators, punctuation around, and how a
    number is written are passed over.
    """
    name = normalize(name)
    if is_number(name):
        return repr(float(name))
    bare = _MARKS.sub("", unicodedata.normalize("NFD", drawn_as(name))).casefold()
    return _SEPARATORS.sub(" ", bare).strip(" .,;:!?'\"") or name


def drawn_as(name: str) -> str:
    """Return a name with the letters of other alphabets that are drawn as Latin ones replaced by these."""
    return normalize(name).translate(_LOOK_ALIKES)


def is_number(text: str) -> bool:
    """Whether a text is a number in figures; `float` would also take `1_0`, `nan` and `infinity`."""
    return _NUMBER.fullmatch(text) is not None
