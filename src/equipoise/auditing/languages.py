"""In which scripts and languages texts are written: a guess."""

import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from equipoise.starter import STARTERS

from .findings import Finding, Tally, count_rows, make_finding, show_rows
from .parts import AuditedData, Part
from .sampling import sample

_GUESSED = 300
"""Texts of a source whose language is guessed, at most."""
_LONG_ENOUGH = 40
"""Characters from which on a text's language is guessed: of shorter ones the guess is mostly wrong."""
_SURE = 0.9
_FEWEST, _SHARE = 3, 0.02
"""Texts in another language, at least, and their share, before they are said."""
_SCRIPTS = (
    "LATIN CYRILLIC GREEK ARABIC HEBREW DEVANAGARI BENGALI TAMIL TELUGU THAI HANGUL HIRAGANA KATAKANA CJK GEORGIAN "
    "ARMENIAN ETHIOPIC KHMER LAO MYANMAR SINHALA GUJARATI KANNADA MALAYALAM GURMUKHI ORIYA TIBETAN MONGOLIAN"
)
_KNOWN_SCRIPTS = frozenset(_SCRIPTS.split())
_JAPANESE = {"HIRAGANA": "CJK", "KATAKANA": "CJK"}


def find_scripts(data: AuditedData) -> Iterator[Finding]:
    """Look for texts in another script than most of their source, in a sample."""
    for part in data.parts:
        for column in part.text_columns:
            texts = part.texts(column)
            chosen = sample(len(texts), column)
            scripts = [_script(texts[index]) for index in chosen]
            counts = Counter(script for script in scripts if script)
            if len(counts) < 2:
                continue
            main = counts.most_common(1)[0][0]
            others = [index for index, script in zip(chosen, scripts, strict=True) if script not in ("", main)]
            if others:
                words = f"texts in another script than {main.title()}"
                examples = show_rows(part.rows, others, texts)
                tally = Tally(part.split, len(others), len(chosen))
                yield count_rows("T11", part.about(column), words, tally, examples=examples)


def _script(text: str) -> str:
    """Return the script that most letters of a text are of, "" where there are none."""
    if text.isascii():
        return "LATIN" if any(map(str.isalpha, text)) else ""
    counts = Counter(script for character in text[:500] if (script := _script_of(character)))
    return counts.most_common(1)[0][0] if counts else ""


@cache
def _script_of(character: str) -> str:
    if not character.isalpha():
        return ""
    first = unicodedata.name(character, "").partition(" ")[0]
    return _JAPANESE.get(first, first) if first in _KNOWN_SCRIPTS else ""


def find_languages(data: AuditedData) -> Iterator[Finding]:
    """Guess the language of longer texts, by py3langid, and look for several, or for one the model does not know."""
    chosen = [(part, column) for part in data.parts if part.split == "train" for column in part.text_columns]
    longer = [(part, column, _choose_long(part, column)) for part, column in chosen]
    if not any(len(rows) >= _FEWEST for _, _, rows in longer):
        return
    identifier = _load_identifier()
    for part, column, rows in longer:
        texts = part.texts(column)
        guesses = {row: language for row in rows if (language := _guess(identifier, texts[row]))}
        if len(guesses) < _FEWEST:
            continue
        counts = Counter(guesses.values())
        main, most = counts.most_common(1)[0]
        about = part.about(column)
        others = [row for row, language in guesses.items() if language != main]
        if len(others) >= max(_FEWEST, _SHARE * len(guesses)):
            listed = ", ".join(f"{language} {count}" for language, count in counts.most_common(4))
            message = f"{len(guesses)} texts whose language is clear: {listed}"
            yield make_finding("T12", about, message, len(others), examples=show_rows(part.rows, others, texts))
        known = STARTERS[data.config.model].languages if data.config.model in STARTERS else ()
        if known and main not in known and 2 * most > len(guesses):
            message = f"most texts seem to be in the language '{main}'; {data.config.model} knows {', '.join(known)}"
            yield make_finding("T13", about, message, most, examples=show_rows(part.rows, list(guesses)[:3], texts))


def _choose_long(part: Part, column: str) -> Sequence[int]:
    texts = part.texts(column)
    long = [index for index in sample(len(texts), "language") if len(texts[index]) >= _LONG_ENOUGH]
    return [long[place] for place in sample(len(long), "language", _GUESSED)]


def _load_identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def _guess(identifier: Any, text: str) -> str:
    language, probability = identifier.classify(text[:1000])
    return str(language) if probability >= _SURE else ""
