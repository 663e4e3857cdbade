"""Where words stand in a text, and where words of the text begin and end, in any script."""

import re
import unicodedata
from functools import lru_cache
from itertools import pairwise

from equipoise.keys import text_key

Place = tuple[int, int]
"""Where a stretch of a text starts and ends, in characters."""

_HANGUL = range(0x1160, 0x1200)
"""Vowels and final consonants of decomposed Korean syllables, which go on with the letter before."""


def find_term(text: str, term: str) -> list[Place]:
    """Return where a term stands in a text: starts and ends in characters, in order, without overlaps.

    Whole words are looked for first, then any place, then whole words in any case. A term that stands nowhere is looked
    for in any spelling: accents as signs of their own, invisible characters, runs of whitespace, and line breaks do not
    count (our design).

    Example:
        >>> find_term("Good food, not fast food.", "food")
        [(5, 9), (20, 24)]
        >>> find_term("The battery  life", "battery life")
        [(4, 17)]
    """
    if not term:
        return []
    anywhere = _find(text, term)
    whole = [place for place in anywhere if not cuts_words(text, *place)]
    if not anywhere:
        found = (match.span(1) for match in re.finditer(f"(?=({re.escape(term)}))", text, re.IGNORECASE))
        whole = [place for place in found if not (cuts_words(text, *place) or _cuts_letter(text, place[1]))]
    return _without_overlaps(whole or anywhere) or _find_in_any_spelling(text, term)


def _find(text: str, term: str) -> list[Place]:
    """Return all places of a term, also those that overlap, but none that ends before a mark on its last letter."""
    found, start = [], text.find(term)
    while start >= 0:
        end = start + len(term)
        if not _cuts_letter(text, end):
            found.append((start, end))
        start = text.find(term, start + 1)
    return found


def _cuts_letter(text: str, end: int) -> bool:
    return end < len(text) and is_mark(text[end])


def _without_overlaps(places: list[Place]) -> list[Place]:
    kept: list[Place] = []
    for place in places:
        if not kept or kept[-1][1] <= place[0]:
            kept.append(place)
    return kept


def _find_in_any_spelling(text: str, term: str) -> list[Place]:
    """Return the places of whole words that are spelled as a term is, by `text_key`."""
    key = text_key(term)
    if not key:
        return []
    spelled, sources = _spell_out(text)
    found = []
    for start, end in _find(spelled, key):
        # A ligature is several letters: none of them is found alone.
        parted = start and sources[start] == sources[start - 1]
        parted = parted or (end < len(sources) and sources[end] == sources[end - 1])
        place = (sources[start][0], sources[end - 1][1])
        if not parted and not cuts_words(text, *place):
            found.append(place)
    return _without_overlaps(found)


@lru_cache(maxsize=256)
def _spell_out(text: str) -> tuple[str, tuple[Place, ...]]:
    """Return the letters of a text as `text_key` has them, and where each of them comes from."""
    starts = [place for place in range(len(text)) if not place or not _is_joined(text[place - 1], text[place])]
    letters: list[str] = []
    sources: list[Place] = []
    for start, end in pairwise([*starts, len(text)]):
        letter = " " if text[start:end].isspace() else text_key(text[start:end])
        letters.append(letter)
        sources += [(start, end)] * len(letter)
    return "".join(letters), tuple(sources)


def _is_joined(before: str, character: str) -> bool:
    """Whether a character belongs to the letter before it; whitespace is one letter."""
    return is_mark(character) or ord(character) in _HANGUL or (before.isspace() and character.isspace())


def cuts_words(text: str, start: int, end: int) -> bool:
    """Whether a stretch of a text begins or ends inside a word."""
    return any(0 < place < len(text) and is_inside_word(text, place) for place in (start, end))


def is_inside_word(text: str, place: int) -> bool:
    """Whether the characters before and after a place belong to one word: letters, figures, or marks on them."""
    return _continues_word(text[place - 1]) and _continues_word(text[place])


def _continues_word(character: str) -> bool:
    return character.isalnum() or character == "_" or is_mark(character)


def is_mark(character: str) -> bool:
    """Whether a character is drawn on, or joined to, the one before it: an accent, a vowel sign, an emoji's joiner."""
    return not character.isascii() and (character in "\u200c\u200d" or unicodedata.category(character).startswith("M"))
