"""What a user who stops a command is told."""

from collections.abc import Iterator
from contextlib import contextmanager

from equipoise.errors import TrainingError

CONTINUE = "Run the same command again to continue."


class StoppedError(TrainingError):
    """The user has stopped a training, which has saved a checkpoint.

    Args:
        progress: how far it came: "Stopped at step 3 of 10".
        hint: how to continue.
    """

    def __init__(self, progress: str, hint: str = CONTINUE) -> None:
        super().__init__(f"{progress}; a checkpoint is saved. {hint}")
        self.progress = progress


@contextmanager
def explain_stop() -> Iterator[None]:
    """Tell a user who stops a command of several trainings that it continues when it is run again.

    Raises:
        TrainingError: it was stopped.
    """
    try:
        yield
    except StoppedError as error:
        raise StoppedError(error.progress) from None
    except KeyboardInterrupt:
        raise TrainingError(f"Stopped. {CONTINUE}") from None
