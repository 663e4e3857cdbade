"""What a language model is asked: templates, and the answers that are scored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import Formatter

_TOWARDS = ' towards "{pair}"'
_INPUTS = ("text", "pair")


@dataclass(frozen=True)
class Question:
    """One question about a row.

    Args:
        fields: what the template's fields stand for, other than the row's own text and pair.
        answers: the answers to be scored; none where text is generated.
    """

    fields: Mapping[str, str]
    answers: tuple[str, ...] = ()


def with_text(questions: Sequence[str], has_pair: bool) -> tuple[str, ...]:
    """Make templates of questions about a text.

    The text comes first in each, so that tasks on the same text share its encoding.
    """
    towards = _TOWARDS if has_pair else ""
    return tuple("{text}\n\n" + question.replace("{towards}", towards) for question in questions)


def check_template(template: str, fields: Sequence[str], required: Sequence[str], has_pair: bool) -> None:
    """Refuse a template that cannot be filled.

    Args:
        template: the template.
        fields: the fields it may have.
        required: fields it must have, beside the row's own inputs.
        has_pair: whether rows have a second text.

    Raises:
        ValueError: it is no template, has an unknown field, or does not have the row's own inputs once each.
    """
    allowed = [field for field in fields if has_pair or field != "pair"]
    known = ", ".join(f"{{{field}}}" for field in allowed)
    try:
        parts = [part[1:] for part in Formatter().parse(template) if part[1] is not None]
    except ValueError as error:
        raise ValueError(f"found {template!r}, which is no template ({error}); write {{{{ for a plain brace") from None
    found = [field for field, _, _ in parts]
    for field, spec, conversion in parts:
        if field not in allowed or spec or conversion:
            written = f"{field}{'!' + conversion if conversion else ''}{':' + spec if spec else ''}"
            raise ValueError(f"found the field {{{written}}}, expected {known}; write {{{{ for a plain brace")
    for field in _INPUTS if has_pair else ("text",):
        if found.count(field) != 1:
            raise ValueError(f"found {template!r}, expected a template with {{{field}}} once")
    for field in required:
        if field not in found:
            raise ValueError(f"found {template!r}, expected a template with {{{field}}}, which is asked one by one")


def split_template(template: str, fields: Mapping[str, str]) -> list[str]:
    """Fill a template, and cut it at the row's own inputs.

    Returns:
        Pieces of text at even places, "text" or "pair" at odd ones.
    """
    pieces = [""]
    for literal, field, _, _ in Formatter().parse(template):
        pieces[-1] += literal
        if field in _INPUTS:
            pieces += [field, ""]
        elif field is not None:
            pieces[-1] += fields[field]
    return pieces


def join_words(words: Sequence[str]) -> str:
    """Join the labels for a prompt: "a, b or c"."""
    return " or ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def make_grid(low: float, high: float) -> tuple[str, ...]:
    """Write the scores that a regression is verbalised by (our design).

    The whole numbers of the range if both its ends are whole, below ten in size, and 4 to 10 apart; else 11 numbers
    evenly spread, with as many decimals as tell them apart, one at least, so that none begins another.
    """
    if low == int(low) and high == int(high) and 4 <= high - low <= 10 and max(-low, high) < 10:
        return tuple(str(number) for number in range(int(low), int(high) + 1))
    numbers = [low + (high - low) * step / 10 for step in range(11)]
    for decimals in range(1, 10):
        words = tuple(f"{number:.{decimals}f}" for number in numbers)
        if len(set(words)) == len(words) and all(
            abs(float(word) - number) <= 1e-3 * (high - low) for word, number in zip(words, numbers, strict=True)
        ):
            break
    return tuple("0." + "0" * decimals if float(word) == 0 else word for word in words)
