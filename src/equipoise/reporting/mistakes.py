"""What the report shows of mistakes: the texts with the words that decided, and what they are filtered by."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from equipoise.evaluation import LONGEST, DecidingWords, Mistake, TaskMistakes

_LEAST = 0.35
"""Words below this share of the heaviest word's weight are not marked."""
_NAMED = 5
"""So many words are named in figures beside a text."""
_NONE = "none"


@dataclass(frozen=True)
class Piece:
    """A stretch of a text.

    Args:
        text: the stretch.
        speaks: "for" or "against" what is explained; "" for a stretch that is not marked.
        share: how much, in tenths of the heaviest word of the text and its pair.
        title: what it adds.
    """

    text: str
    speaks: str = ""
    share: int = 0
    title: str = ""


@dataclass(frozen=True)
class MarkedText:
    """A text with the words that decided.

    Args:
        of: what they decided, such as the class; "" where nothing is explained.
        unit: the unit of their weights.
        text: the text in stretches.
        pair: the second text; None where there is none.
        named: the heaviest words with what they add.
    """

    of: str
    unit: str
    text: tuple[Piece, ...]
    pair: tuple[Piece, ...] | None
    named: tuple[str, ...] = ()


@dataclass(frozen=True)
class ShownMistake:
    """A row of the table of mistakes.

    Args:
        row: what is known of it.
        texts: its text, once for each number of the answer that is explained.
        keys: the classes by which it is filtered, such as "true-0".
    """

    row: Mistake
    texts: tuple[MarkedText, ...]
    keys: str


@dataclass(frozen=True)
class Filter:
    """Something by which rows are chosen.

    Args:
        key: what the classes of rows start with.
        label: what it is called.
        options: the names to choose from, and how many rows each has.
    """

    key: str
    label: str
    options: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class ShownMistakes:
    """What is shown of a task's mistakes.

    Args:
        rows: the rows.
        filters: what they can be chosen by; none where there is nothing to choose.
        marked: in how many of the first rows words are marked.
        unexplained: why not, "" where there is nothing to say.
    """

    rows: tuple[ShownMistake, ...]
    filters: tuple[Filter, ...]
    marked: int
    unexplained: str


def show_mistakes(mistakes: Mapping[str, TaskMistakes]) -> dict[str, ShownMistakes]:
    """Prepare mistakes for the report.

    Args:
        mistakes: `mistakes.json` of a run, also of one from before words were marked.
    """
    return {name: _show_task(found) for name, found in mistakes.items()}


def count_options(mistakes: Mapping[str, ShownMistakes]) -> dict[str, int]:
    """Return by how many tasks, true classes and answered classes rows can be chosen, by the keys of filters.

    Args:
        mistakes: what `show_mistakes` returned.
    """
    most = {"task": len(mistakes)}
    for filter_ in (filter_ for found in mistakes.values() for filter_ in found.filters):
        most[filter_.key] = max(most.get(filter_.key, 0), len(filter_.options))
    return most


def _show_task(found: TaskMistakes) -> ShownMistakes:
    examples = found["examples"]
    groups = [
        ("true", "label", _or_none([one.get("label_classes", []) for one in examples])),
        ("answered", "answer", _or_none([one.get("answer_classes", []) for one in examples])),
    ]
    filters, keys = [], [""] * len(examples)
    for key, label, classes in groups:
        counts = Counter(name for names in classes for name in names)
        # In the order of the task's classes; what has none comes last.
        known = {name: number for number, name in enumerate(found["classes"])}
        options = sorted(counts.items(), key=lambda option: known.get(option[0], len(known)))
        if len(options) < 2:
            continue
        filters.append(Filter(key, label, tuple(options)))
        numbers = {name: number for number, (name, _) in enumerate(options)}
        keys = [
            " ".join([own, *(f"{key}-{numbers[name]}" for name in names)])
            for own, names in zip(keys, classes, strict=True)
        ]
    rows = tuple(ShownMistake(one, _mark(one), own.strip()) for one, own in zip(examples, keys, strict=True))
    marked = max((number for number, row in enumerate(rows, 1) if row.texts[0].of), default=0)
    return ShownMistakes(rows, tuple(filters), marked, found.get("unexplained", ""))


def _or_none(found: Sequence[list[str]]) -> list[list[str]]:
    """Return the classes of each row; what is of no class is of none where others have some."""
    return [names or [_NONE] for names in found] if any(found) else list(found)


def _mark(one: Mistake) -> tuple[MarkedText, ...]:
    nothing = DecidingWords(of="", unit="", words=[], rest=0.0, pair_words=[], pair_rest=0.0)
    return tuple(_mark_words(one, words) for words in one.get("explained") or [nothing])


def _mark_words(one: Mistake, found: DecidingWords) -> MarkedText:
    words = [*found["words"], *found["pair_words"]]
    heaviest = max((abs(word["weight"]) for word in words), default=0.0)
    named = sorted(words, key=lambda word: -abs(word["weight"]))[:_NAMED]
    return MarkedText(
        found["of"],
        found["unit"],
        _cut(one["text"], found["words"], found["rest"], heaviest),
        _cut(one["pair"], found["pair_words"], found["pair_rest"], heaviest) if one["pair"] else None,
        tuple(f"{word['word']}\u00a0{_sign(word['weight'])}" for word in named if _is_marked(word["weight"], heaviest)),
    )


def _cut(text: str, words: Sequence[Mapping[str, Any]], rest: float, heaviest: float) -> tuple[Piece, ...]:
    """Cut a text into stretches; what stands behind is the last one."""
    pieces, done = [], 0
    for word in words:
        start, end, weight = word["start"], word["end"], word["weight"]
        if start < done or not _is_marked(weight, heaviest):
            continue
        pieces.append(Piece(text[done:start]))
        share = max(1, round(10 * abs(weight) / heaviest))
        pieces.append(Piece(text[start:end], "for" if weight > 0 else "against", share, _sign(weight)))
        done = end
    pieces.append(Piece(text[done:]))
    if len(text) >= LONGEST:
        pieces.append(Piece(" …", title=f"the words behind: {_sign(rest)}" if rest else ""))
    return tuple(piece for piece in pieces if piece.text)


def _is_marked(weight: float, heaviest: float) -> bool:
    return heaviest > 0 and abs(weight) >= _LEAST * heaviest


def _sign(weight: float) -> str:
    """Write a number with its sign."""
    return f"{weight:+.2f}".replace("-", "−")
