"""The errors a user can cause or meet. The command prints their message without a traceback."""

from collections.abc import Iterable
from difflib import get_close_matches

OVERWRITE = "--overwrite (in Python: overwrite=True)"
"""What says, in a message, that what lies there is to be replaced: of the command and of the function."""
RESUME = "--resume (in Python: resume=True)"
"""What says, in a message, that a run is to be continued."""
MESSAGE_LIMIT = 490
"""Characters of a message, at most: with "usage: " before it, it stays under 500."""
_WORD = 80
"""Characters of a word, at most, in a message that is too long."""
_FAULTS = 20
"""Faults that are shown at once, at most."""
_LISTED = 200
"""Characters of a list of what there is, at most."""


class EquipoiseError(Exception):
    """Something failed for a reason the user can act on: exit code 1.

    The message says where (file, row or key), what was found, what was expected, and what to do. It is short and prints
    harmlessly, whatever the user's values hold: see `shorten`.

    Args:
        messages: the message; or several, shown one per line: if they are many, the first ones and the last.
        left_out: the number of further messages, which is shown before the last line.
    """

    exit_code = 1

    def __init__(self, *messages: str, left_out: int = 0) -> None:
        super().__init__(*_fit([shorten(str(message)) for message in messages], left_out))

    def __str__(self) -> str:
        return "\n".join(self.args)


class DataError(EquipoiseError):
    """A file, a row or a label is not what the run file says it is."""


class CellError(DataError):
    """Cells are no labels of their tasks, or no texts."""


class UnlearnableError(DataError):
    """Nothing can be learnt from the labels of a task: all are the same, or there are none."""


class FaultsError(DataError):
    """Several faults of the data, found at once; each has a message of its own, of the usual length.

    Args:
        faults: the errors, or their messages.
    """

    def __init__(self, *faults: EquipoiseError | str) -> None:
        Exception.__init__(self, *map(str, faults))

    def __str__(self) -> str:
        shown = [f"- {fault}".replace("\n", "\n  ") for fault in self.args[:_FAULTS]]
        more = [f"… and {len(self.args) - _FAULTS} more."] if len(self.args) > _FAULTS else []
        return "\n".join([f"found {len(self.args)} faults:", *shown, *more])


class ModelError(EquipoiseError):
    """A model cannot be found, read or used."""


class TrainingError(EquipoiseError):
    """Training cannot start or go on."""


class OutputError(EquipoiseError):
    """An output may not be written, because it would replace something else."""


class UsageError(EquipoiseError):
    """The run file or the command line asks for something that does not exist: exit code 2."""

    exit_code = 2


class EquipoiseWarning(FutureWarning):
    """Something works that may not be meant, or not for long. The command shows the message as a note."""


def did_you_mean(word: str, options: Iterable[str]) -> str:
    """Return the end of an error message: the closest option, or else all options.

    Args:
        word: what the user wrote.
        options: what there is.
    """
    known = sorted(str(option) for option in options)
    close = get_close_matches(str(word), known, n=5, cutoff=0.6)
    if close:
        # Letters in another order are the likelier slip.
        best = min(close, key=lambda option: sorted(option) != sorted(str(word)))
        return f"Did you mean '{best}'?"
    if not known:
        return "There are none."
    return f"There is: {list_some(known)}."


def list_some(words: Iterable[str], at_most: int = 20) -> str:
    """Return words in quotes with commas between; of many or long ones the first, and the number of the others.

    Args:
        words: what there is.
        at_most: how many words are listed.
    """
    words = list(words)
    listed: list[str] = []
    for word in words[:at_most]:
        shown = f"'{shorten(word, _WORD)}'"
        if listed and sum(map(len, listed)) + len(shown) > _LISTED:
            break
        listed.append(shown)
    more = f" and {len(words) - len(listed)} more" if len(words) > len(listed) else ""
    return ", ".join(listed) + more


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or its type where it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def shorten(text: str, at_most: int = MESSAGE_LIMIT) -> str:
    r"""Return a text as one line that is safe to print: escape what does not print, cut what is too long.

    Long words are cut first, then the middle, so that the beginning (where) and the end (what to do) stay.

    Args:
        text: any text, also one with control characters (`\n` becomes `\\n`) or lone surrogates.
        at_most: the most characters.
    """
    if len(text) > 40 * at_most:  # nobody waits for a text of megabytes
        text = f"{text[: 20 * at_most]}…{text[-20 * at_most :]}"
    text = "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )
    if len(text) > at_most:
        text = " ".join(_cut(word, min(_WORD, at_most)) for word in text.split(" "))
    return _cut(text, at_most)


def _cut(text: str, at_most: int) -> str:
    if len(text) <= at_most:
        return text
    end = (at_most - 1) * 2 // 5
    return f"{text[: at_most - 1 - end]}…{text[-end:]}"


def _fit(messages: list[str], left_out: int) -> list[str]:
    """Leave messages out of the middle until all fit, and say how many are left out."""
    if not left_out and len("\n".join(messages)) <= MESSAGE_LIMIT:
        return messages
    first, *others, last = messages
    room = MESSAGE_LIMIT - len("… and 999,999,999 more.\n\n")
    if len(first) + len(last) > room:
        first, last = _cut(first, room // 2), _cut(last, room // 2)
    shown = [first]
    for message in others:
        if len("\n".join([*shown, message, last])) > room:
            break
        shown.append(message)
    left_out += 1 + len(others) - len(shown)
    return [*shown, *([f"… and {left_out:,} more."] if left_out else []), last]
