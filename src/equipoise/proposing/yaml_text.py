"""YAML on one line for any value, which reads back as it was under YAML 1.1 and 1.2."""

import json
import re
from collections.abc import Mapping
from typing import Any

_PLAIN = re.compile(r"(?:\.{0,2}/)*[A-Za-z](?:[A-Za-z0-9_./ -]*[A-Za-z0-9_])?")
_WORDS = {"yes", "no", "on", "off", "true", "false", "null", "y", "n", "nan", "inf"}
"""What YAML may read as something else than a text."""
_VARIABLE = re.compile(r"(\$+)(?=\{\w+\})")


def to_yaml(value: Any) -> str:
    """Return a value of a run file as YAML on one line: a text, a number, true, false, null, a list or a mapping.

    A text such as `${NAME}` is written as `$${NAME}`, which run files do not replace.

    Raises:
        ValueError: a text holds half of a surrogate pair, which YAML cannot write.
    """
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_text(str(key))}: {to_yaml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(to_yaml, value)) + "]"
    if isinstance(value, str):
        return _text(_VARIABLE.sub(r"$\1", value))
    if isinstance(value, float):
        # With a point, since YAML 1.1 reads 1e-05 as text.
        number = repr(value)
        mantissa, e, exponent = number.partition("e")
        return f"{mantissa if '.' in mantissa else mantissa + '.0'}{e}{exponent}" if e else number
    return json.dumps(value)


def to_key(name: str) -> str:
    """Return a key as YAML on one line; unlike values, keys hold no variables."""
    return _text(name)


def _text(text: str) -> str:
    text.encode()
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS and "  " not in text:
        return text
    # JSON's escapes are YAML's; what does not print must be escaped, too.
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(sign if sign.isprintable() else _escape(sign) for sign in quoted)


def _escape(sign: str) -> str:
    code = ord(sign)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
