"""How a file is written, where that is not as its ending says: what the keys of a source and of `predict` state."""

import codecs
from collections.abc import Iterable
from dataclasses import dataclass, fields

from equipoise.errors import did_you_mean

NO_QUOTES = "none"
"""The quotechar of files in which quotation marks are plain characters."""
_TEXT = frozenset({"encoding"})
_CELLS = frozenset({"encoding", "sep", "quotechar", "decimal"})
_KEYS_OF = {
    ".csv": _CELLS,
    ".tsv": _CELLS,
    ".txt": _TEXT,
    ".json": _TEXT,
    ".jsonl": _TEXT,
    ".parquet": frozenset[str](),
    ".xlsx": frozenset({"sheet", "decimal"}),
}
_ENDINGS_OF = {
    key: ", ".join(ending for ending, keys in _KEYS_OF.items() if key in keys and ending != ".txt")
    for key in ("encoding", "sep", "quotechar", "decimal", "sheet")
}
_CODECS = ("cp1250", "cp1251", "cp1252", "cp1254", "cp932", "gb18030", "latin-1", "mac-roman", "utf-8", "utf-16")
# They change what is written (\n), or read letters as something else.
_REFUSED = {"idna", "mbcs", "oem", "punycode", "raw-unicode-escape", "undefined", "unicode-escape", "utf-7"}


@dataclass(frozen=True)
class Dialect:
    """How a file is written; None stands for what its ending says.

    Args:
        encoding: the codec of its text, UTF-8 when not given.
        sep: what stands between two cells, one character.
        quotechar: what encloses a cell, one character, or `NO_QUOTES`.
        decimal: what stands before the decimals of a number: "," or ".".
        sheet: the sheet of a workbook.

    Example:
        >>> from equipoise.dialects import Dialect
        >>> Dialect(encoding="cp1252", sep=";").given
        {'encoding': 'cp1252', 'sep': ';'}
    """

    encoding: str | None = None
    sep: str | None = None
    quotechar: str | None = None
    decimal: str | None = None
    sheet: str | None = None

    @property
    def given(self) -> dict[str, str]:
        """What is stated, by key."""
        stated = {field.name: getattr(self, field.name) for field in fields(self)}
        return {key: value for key, value in stated.items() if value is not None}

    def find_problem(self) -> str:
        """Say which values do not go together, "" where all do."""
        quote = '"' if self.quotechar is None else self.quotechar
        if self.sep is not None and self.sep == quote:
            return f"'sep' and 'quotechar' are both {quote!r}, expected two different characters"
        return ""

    def find_misfit(self, endings: Iterable[str]) -> str:
        """Say which key none of the files has, "" where each key goes with one of them.

        Args:
            endings: the endings of the files, in lower case; those that are not known are passed over.
        """
        known = [ending for ending in endings if ending in _KEYS_OF]
        for key in self.given:
            if known and not any(key in _KEYS_OF[ending] for ending in known):
                found = ", ".join(dict.fromkeys(known))
                return f"'{key}' goes with {_ENDINGS_OF[key]}, found {found}; leave it out"
        return ""


PLAIN = Dialect()
"""Files that are written as their endings say, in UTF-8."""


def read_encoding(name: str) -> str:
    """Return the name of a codec of text as Python spells it.

    Raises:
        ValueError: there is no such codec, or it is not one of text.
    """
    try:
        codec = codecs.lookup(name)
    except (LookupError, ValueError):
        raise ValueError(
            f"found {name!r}, expected the name of a codec, such as cp1252. {did_you_mean(name, _CODECS)}"
        ) from None
    if not codec._is_text_encoding or codec.name.replace("_", "-") in _REFUSED:
        raise ValueError(f"found {name!r}, which is not how texts are saved, expected a codec such as cp1252")
    return "utf-8" if codec.name == "utf-8-sig" else codec.name


def read_sep(text: str) -> str:
    """Return what stands between two cells: a character as it is, or a tab for the word tab.

    Raises:
        ValueError: it is no single character, or one that cannot be told from a line break.
    """
    if text.lower() in ("tab", "\\t"):
        return "\t"
    return _read_character(text, "one character, or the word tab")


def read_quotechar(text: str) -> str:
    """Return what encloses a cell, a character, or `NO_QUOTES`.

    Raises:
        ValueError: it is neither.
    """
    return NO_QUOTES if text.lower() == NO_QUOTES else _read_character(text, "one character, or the word none")


def read_decimal(text: str) -> str:
    """Return what stands before the decimals of a number.

    Raises:
        ValueError: it is no comma and no point.
    """
    if text not in (",", "."):
        raise ValueError(f"found {text!r}, expected ',' or '.'")
    return text


def _read_character(text: str, expected: str) -> str:
    if len(text) != 1:
        raise ValueError(f"found {text!r}, expected {expected}")
    if text in "\0\r\n\ufeff" or 0xD800 <= ord(text) < 0xE000:
        raise ValueError(f"found {text!r}, which no cell can be parted by, expected {expected}")
    return text


def say_key(key: str, value: str) -> str:
    """Return how a key of a source, or the option of `predict` that is called like it, is given.

    Args:
        key: its name.
        value: its value.
    """
    word = {"\t": "tab"}.get(value, value)
    word = word if word.replace("-", "").replace("_", "").isalnum() else f'"{word}"'
    return f"{key}: {word} in the run file, --{key} {word} for predict"
