"""Texts that are not what they should be: lost or wrong characters, markup, placeholders, no texts at all."""

import html
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from equipoise.keys import is_blank

from .findings import Finding, Level, count_rows, show_place, show_rows
from .parts import AuditedData, Part
from .placeholders import is_placeholder

_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,30});")
_TAG = re.compile(
    r"</?(?:a|b|i|u|p|br|hr|em|strong|div|span|ul|ol|li|table|tr|td|th|img|h[1-6]|font|blockquote|pre|code|sub|sup)"
    r"(?:\s[^<>]{0,500})?/?>",
    re.IGNORECASE,
)
_ESCAPE = re.compile(r'\\(?:n|r|t|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2})(?![a-zA-Z]*\\)|\\"')
_WRAPPED = re.compile(r"""b(['"]).*\1|\[(['"]).*\2\]""", re.DOTALL)
_INVISIBLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u200b\u2060\ufeff\u202a-\u202e\u00ad]")
# Of UTF-8 that was read in another encoding, a lead byte (a Latin letter) stands before what is no ASCII.
_MAY_BE_MOJIBAKE = re.compile("[\u0080-\u009f]|[\u00c0-\u024f\u03b0-\u045f][\u0080-\uffff]")
_WORDLESS = re.compile(r"[^\w\u2190-\uffff\U00010000-\U0010ffff]+")
_NO_TEXT = re.compile(
    r"[\W\d_]*\d[\W\d_]*|(?:https?://|www\.)\S+|[\w.+-]+@[\w-]+\.\w+|(?=\S*\d)[0-9a-fA-F-]{16,}|[A-Za-z]{1,4}[-_#]?\d\S*"
)
_MOST = 0.5
_ENOUGH = 10
"""Texts, at least, before a column is said to hold none."""


@dataclass(frozen=True)
class _Look:
    """One thing to look for in a text.

    Args:
        code: its code.
        words: what a finding says.
        hint: a character without which there is nothing to find; "" for any character that is not ASCII.
        find: returns what is found in a text, "" for nothing.
    """

    code: str
    words: str
    hint: str
    find: Callable[[str], str]


def _first(pattern: re.Pattern[str]) -> Callable[[str], str]:
    def find(text: str) -> str:
        match = pattern.search(text)
        return match[0] if match else ""

    return find


def _entity(text: str) -> str:
    """Return the first entity that stands for a character; `&co;` stands for none."""
    return next((found for found in _ENTITY.findall(text) if html.unescape(found) != found), "")


def _mojibake(text: str) -> str:
    """Return what a text would be, read in the right encoding."""
    if _MAY_BE_MOJIBAKE.search(text) is None:
        return ""
    import ftfy
    from ftfy.badness import is_bad

    if not is_bad(text):
        return ""
    fixed = ftfy.fix_encoding(text)
    return "" if fixed == text else fixed


_LOOKS = (
    _Look("T03", "texts that were read in a wrong encoding", "", _mojibake),
    _Look("T04", "texts that hold the replacement character", "\ufffd", lambda text: "\ufffd"),
    _Look("T05", "texts that hold HTML entities", "&", _entity),
    _Look("T05", "texts that hold HTML tags", "<", _first(_TAG)),
    _Look("T07", "texts that hold escape sequences", "\\", _first(_ESCAPE)),
)


def find_bad_texts(data: AuditedData) -> Iterator[Finding]:
    """Look for wrong encodings, lost characters, HTML, escapes, and texts that are none."""
    for part in data.parts:
        for column in part.read_columns:
            texts = part.texts(column)
            about = part.about(column)
            yield from _find_marks(part, about, texts)
            yield from _find_whole(part, about, texts)
            if column in part.text_columns:
                yield from _find_no_texts(part, about, texts)


def _find_marks(part: Part, about: str, texts: Sequence[str]) -> Iterator[Finding]:
    """Look for what stands somewhere in a text."""
    found: list[dict[int, str]] = [{} for _ in _LOOKS]
    invisible = []
    for index, text in enumerate(texts):
        is_ascii = text.isascii()
        for look, places in zip(_LOOKS, found, strict=True):
            if (look.hint in text if look.hint else not is_ascii) and (what := look.find(text)):
                places[index] = what
        if not (is_ascii and text.isprintable()) and _INVISIBLE.search(text):
            invisible.append(index)
    for look, places in zip(_LOOKS, found, strict=True):
        if places:
            examples = (show_place(part.rows.place(index), texts[index], what) for index, what in places.items())
            yield count_rows(look.code, about, look.words, part.tally(len(places)), examples=examples)
    if invisible:
        shown, words = show_rows(part.rows, invisible, texts), "texts that hold characters that are not seen"
        yield count_rows("T06", about, words, part.tally(len(invisible)), examples=shown)


def _find_whole(part: Part, about: str, texts: Sequence[str]) -> Iterator[Finding]:
    """Look for texts that are bytes or lists as a whole."""
    wrapped = [
        index
        for index, text in enumerate(texts)
        if text[:2] in ("b'", 'b"', "['", '["') and _WRAPPED.fullmatch(text.strip())
    ]
    if wrapped:
        examples, words = show_rows(part.rows, wrapped, texts), "texts that are bytes or lists written as text"
        yield count_rows("T08", about, words, part.tally(len(wrapped)), examples=examples)


def _find_no_texts(part: Part, about: str, texts: Sequence[str]) -> Iterator[Finding]:
    """Look for texts without words, and for columns without texts."""
    empty, wordless, no_texts = [], [], 0
    for index, text in enumerate(texts):
        if not text or is_blank(text):
            continue  # a labelled text is never empty
        if _WORDLESS.fullmatch(text):
            wordless.append(index)
        elif is_placeholder(text):
            empty.append(index)
        elif len(text) < 200 and _NO_TEXT.fullmatch(text.strip()):
            no_texts += 1
    if empty:
        examples, words = show_rows(part.rows, empty, texts), "texts that are a word for nothing"
        yield count_rows("T09", about, words, part.tally(len(empty)), examples=examples)
    if wordless:
        examples, words = show_rows(part.rows, wordless, texts), "texts that hold punctuation alone"
        yield count_rows("T01", about, words, part.tally(len(wordless)), examples=examples)
    if len(texts) >= _ENOUGH and no_texts > _MOST * len(texts):
        examples, words = show_rows(part.rows, range(3), texts), "cells that are numbers, dates, addresses or codes"
        yield count_rows("T10", about, words, part.tally(no_texts), examples=examples)


def find_long_texts(data: AuditedData) -> Iterator[Finding]:
    """Look for texts that have more words than the model reads tokens, so that they are cut for sure."""
    most, windows = data.config.max_length, data.config.long_texts == "windows"
    for part in data.parts:
        for column in part.text_columns:
            texts = part.texts(column)
            # A word with the blank behind it has two characters at least.
            long = [index for index, text in enumerate(texts) if len(text) >= 2 * most and text.count(" ") >= most]
            long = [index for index in long if len(texts[index].split()) > most]
            if long:
                fate = "are read in windows" if windows else "are cut"
                words = f"texts that have more than {most} words, and {fate}"
                long.sort(key=lambda index: -len(texts[index]))
                examples = show_rows(part.rows, long, texts)
                level: Level | None = "note" if windows else None
                tally = part.tally(len(long))
                yield count_rows("T02", part.about(column), words, tally, examples=examples, level=level)
