"""The errors a user can cause or meet. The command prints their message alone, never a traceback."""

from collections.abc import Iterable
from difflib import get_close_matches


class EquipoiseError(Exception):
    """Something failed for a reason the user can act on: exit code 1.

    The message says where (file, row or key), what was found, what was expected, and the way out.
    """

    exit_code = 1


class DataError(EquipoiseError):
    """A file, a row or a label is not what the run file says it is."""


class ModelError(EquipoiseError):
    """A model cannot be found, read or used."""


class TrainingError(EquipoiseError):
    """Training cannot start or go on."""


class UsageError(EquipoiseError):
    """The run file or the command line asks for something that does not exist: exit code 2."""

    exit_code = 2


def did_you_mean(word: str, options: Iterable[str]) -> str:
    """Return the tail of an error message: the closest option, or else what there is.

    Args:
        word: what the user wrote.
        options: what there is.
    """
    known = sorted(str(option) for option in options)
    close = get_close_matches(str(word), known, n=1, cutoff=0.6)
    if close:
        return f"Did you mean '{close[0]}'?"
    if not known:
        return "There are none."
    more = f" and {len(known) - 20} more" if len(known) > 20 else ""
    return "There is: " + ", ".join(f"'{option}'" for option in known[:20]) + more + "."
