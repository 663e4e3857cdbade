"""Progress with time left: a bar in a terminal or a notebook, else one line every 20 seconds."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as ProgressBar

SECONDS_BETWEEN_LINES = 20.0
_SECONDS_BETWEEN_UPDATES = 0.5
"""Of the line in a notebook."""
_hidden: ContextVar[bool] = ContextVar("hidden", default=False)


@contextmanager
def hide_progress(hide: bool = True) -> Iterator[None]:
    """Show no progress for the time of a block.

    Args:
        hide: whether to.
    """
    token = _hidden.set(_hidden.get() or hide)
    try:
        yield
    finally:
        _hidden.reset(token)


class Progress:
    """One piece of work of known length.

    Args:
        label: what is being done, such as "Reading rows".
        total: the number of units.
        unit: the name of a unit, such as "row".
        done: units done before, if the work resumes.
    """

    def __init__(self, label: str, total: int, unit: str, done: int = 0) -> None:
        self.label, self.total, self.unit = label, total, unit
        self.done = self._start = done
        self._began = self._last_line = time.monotonic()
        self._bar: ProgressBar | None = None
        self._notebook: _NotebookLine | None = None
        self._is_hidden = _hidden.get()
        if self._is_hidden:
            return
        from rich.console import Console

        console = Console(stderr=True)
        if console.is_jupyter:
            self._notebook = _NotebookLine()
            self._show_in_notebook("")
        elif console.is_terminal:
            self._bar = _make_bar(console)
            self._row = self._bar.add_task(label, total=total, completed=done, note="")
            self._bar.start()

    def advance(self, units: int = 1, note: str = "") -> None:
        """Count more units as done, and show a few words beside them."""
        self.done += units
        if self._bar is not None:
            self._bar.update(self._row, completed=self.done, note=note)
            return
        between = SECONDS_BETWEEN_LINES if self._notebook is None else _SECONDS_BETWEEN_UPDATES
        now = time.monotonic()
        if self._is_hidden or now - self._last_line < between or self.done >= self.total:
            return
        self._last_line = now
        if self._notebook is not None:
            self._show_in_notebook(note)
        else:
            print(self._line(now, note), file=sys.stderr, flush=True)

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        if self._bar is not None:
            self._bar.console.print(text, highlight=False)
        elif self._notebook is not None:
            print(text, flush=True)  # notebooks show standard error as something wrong
        elif not self._is_hidden:
            print(text, file=sys.stderr, flush=True)

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
        if self._notebook is not None:
            self._notebook.show("")
            self._notebook = None
            self._is_hidden = True

    def _show_in_notebook(self, note: str) -> None:
        assert self._notebook is not None
        bar = f'<progress value="{self.done}" max="{self.total}"></progress>'
        self._notebook.show(f"{bar} {escape(self._line(time.monotonic(), note))}")

    def _line(self, now: float, note: str) -> str:
        left = (now - self._began) / max(1, self.done - self._start) * (self.total - self.done)
        line = f"{self.label}: {self.unit} {self.done} of {self.total}, {format_seconds(left)} left"
        return f"{line} ({note})" if note else line


class _NotebookLine:
    """A line below a notebook's cell that changes in place; it needs no widgets."""

    def __init__(self) -> None:
        from IPython.display import HTML, display

        self._html = HTML
        self._handle = display(HTML(""), display_id=True)

    def show(self, html: str) -> None:
        self._handle.update(self._html(html))


def _make_bar(console: "Console") -> "ProgressBar":
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as ProgressBar

    return ProgressBar(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(elapsed_when_finished=False),
        TextColumn("{task.fields[note]}", style="dim"),
        console=console,
        transient=True,
    )


@contextmanager
def progress(label: str | None, total: int, unit: str) -> Iterator[Progress | None]:
    """Show the progress of a block; None shows nothing."""
    bar = Progress(label, total, unit) if label else None
    try:
        yield bar
    finally:
        if bar is not None:
            bar.close()


def format_seconds(seconds: float) -> str:
    """Write a duration in words: `45 s`, `3 min 5 s`, `2 h 5 min`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
