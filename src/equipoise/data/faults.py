"""Faults of the data, collected so that all of them are said at once."""

from collections.abc import Iterator
from contextlib import contextmanager

from equipoise.errors import DataError, EquipoiseError, FaultsError, UsageError


class Faults:
    """Errors that are kept until as much of the data as possible is looked at.

    Attributes:
        errors: what was found.
        tasks: names of the tasks whose labels have faults: what else seems to be wrong with them may follow from these.
        is_fatal: whether one of the errors is about more than labels of tasks.
    """

    def __init__(self) -> None:
        self.errors: list[EquipoiseError] = []
        self.tasks: set[str] = set()
        self.is_fatal = False

    @contextmanager
    def catch(self, *tasks: str) -> Iterator[None]:
        """Keep an error of the data, or of how the run file says that they are read, and go on behind the block.

        Args:
            tasks: the tasks whose labels have a fault then; none where it is about more than labels.
        """
        try:
            yield
        except (DataError, UsageError) as error:
            self._add(error)
            self.tasks.update(tasks)
            self.is_fatal |= not tasks

    def join(self, others: "Faults") -> None:
        """Keep the errors of others, too."""
        for error in others.errors:
            self._add(error)
        self.tasks |= others.tasks
        self.is_fatal |= others.is_fatal

    def _add(self, error: EquipoiseError) -> None:
        if str(error) not in map(str, self.errors):  # a file may be read by two sources
            self.errors.append(error)

    def stop(self) -> None:
        """Raise what was found.

        Raises:
            EquipoiseError: the only error; or one that lists them all.
        """
        if len(self.errors) == 1:
            raise self.errors[0]
        if self.errors:
            several = [error.args if isinstance(error, FaultsError) else (str(error),) for error in self.errors]
            raise FaultsError(*(message for messages in several for message in messages))
