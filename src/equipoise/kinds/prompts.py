"""What a language model is asked: templates, and the answers that are scored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import Formatter

FIELDS: dict[str, tuple[str, ...]] = {
    "classification": ("text", "pair", "task", "labels"),
    "regression": ("text", "pair", "task", "low", "high"),
    "multilabel": ("text", "pair", "task", "label", "labels"),
    "generation": ("text", "pair", "task"),
}
"""The fields of each kind's templates."""

_QUESTIONS = {
    "classification": (
        "What is the {task} of the text above{towards}? Answer with one of: {labels}.",
        "Choose the {task} of this text{towards}: {labels}.",
        "Which {task} does the text above have{towards}, {labels}?",
        "Read the text above and name its {task}{towards}. The options are {labels}.",
    ),
    "regression": (
        "What is the {task} of the text above{towards}, from {low} to {high}? Answer with a number.",
        "Rate the {task} of this text{towards} on a scale from {low} to {high}.",
        "On a scale from {low} to {high}, which {task} does the text above have{towards}?",
        "Read the text above and give its {task}{towards} as a number. {low} is the lowest, {high} the highest.",
    ),
    "multilabel": (
        'Does the {task} "{label}" apply to the text above{towards}? Answer yes or no.',
        'Is "{label}" one of the {task} of this text{towards}? Say yes or no.',
        'The {task} can be {labels}. Is "{label}" right for the text above{towards}, yes or no?',
        'Read the text above. Should it have the {task} "{label}"{towards}? Reply with yes or no.',
    ),
    "generation": (
        "Write the {task} of the text above{towards}.",
        "Give this text a {task}{towards}.",
        "What would be a good {task} of the text above{towards}?",
        "Read the text above and write its {task}{towards}.",
    ),
}
"""Each kind's questions, the default first; the others are variants to average over."""
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


def default_templates(kind: str, has_pair: bool) -> tuple[str, ...]:
    """Return a kind's templates, the default first.

    The text comes first in each, so that tasks on the same text share its encoding.
    """
    towards = _TOWARDS if has_pair else ""
    return tuple("{text}\n\n" + question.replace("{towards}", towards) for question in _QUESTIONS[kind])


def check_template(template: str, kind: str, has_pair: bool) -> None:
    """Refuse a template that cannot be filled.

    Raises:
        ValueError: it is no template, has an unknown field, or does not have the row's own inputs once each.
    """
    allowed = [field for field in FIELDS[kind] if has_pair or field != "pair"]
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
    if kind == "multilabel" and "label" not in found:
        raise ValueError(f"found {template!r}, expected a template with {{label}}, which is asked label by label")


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
