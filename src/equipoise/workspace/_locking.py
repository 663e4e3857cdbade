"""One process at a time in a folder."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from equipoise.errors import TrainingError
from equipoise.locks import LOCK, LockedError, hold, owner_of
from equipoise.temporaries import clean_leftovers_in

_PATIENCE = 2.0
"""Seconds in which a training ends whose comparison was killed, and lets go of its folder."""


def make_folder(folder: Path) -> None:
    """Make a folder of an output, if there is none.

    Raises:
        TrainingError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(
            f"{folder}: the folder cannot be made ({error.strerror or error}); choose another `output`."
        ) from None


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Make a folder and lock it, so that no two processes work in it, and remove what killed ones have left there.

    Raises:
        TrainingError: another process holds it, or the folder cannot be written.
    """
    make_folder(folder)
    with ExitStack() as held:
        try:
            held.enter_context(hold(folder / LOCK, str(folder), wait=_PATIENCE, remove=True))
        except LockedError:
            raise TrainingError(
                f"{folder}: another run is writing here ({owner_of(folder / LOCK)}); wait for it, or choose another "
                "`output`."
            ) from None
        clean_leftovers_in(folder)
        yield
