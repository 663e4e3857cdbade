"""One input from its first row to its last answer."""

import os
import sys
import tempfile
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from equipoise import __version__
from equipoise.data import Meter, RowStream
from equipoise.digests import digest_file, digest_folder
from equipoise.errors import OutputError
from equipoise.predicting import Inputs, Problems, check_columns, gather_pairs, read_inputs
from equipoise.progress import Progress as Bar
from equipoise.terminal import note

from .columns import TableColumns, find_answer_columns, infer_columns
from .engine import Answered, Engine, ModelView, Window
from .outputs import TABLES
from .partial_output import PartialOutput, Progress
from .workers import explain_broken
from .writers import ArrowWriter, DelimitedWriter, JsonWriter, Writer

_HELD = 16_000_000
"""Bytes of answers that are held in memory while all of them are errors."""


@dataclass(frozen=True)
class Job:
    """What is asked.

    Args:
        stream: the input.
        model: the model's folder or file.
        options: `pair`, `tasks`, `batch_size`, `prompts` … as `BasePredictor.predict` takes them; JSON data.
        output: the file to write; None means standard output.
        strict: nothing is written where a row cannot be read.
        overwrite: start from scratch where an interrupted call has left answers.
    """

    stream: RowStream
    model: Path
    options: Mapping[str, Any]
    output: Path | None = None
    strict: bool = False
    overwrite: bool = False


class _Sink(Protocol):
    progress: Progress

    def append(self, content: bytes, progress: Progress) -> None: ...
    def finish(self, writer: Writer) -> None: ...
    def discard(self) -> None: ...


def predict_stream(job: Job, engine: Engine) -> Mapping[str, float] | None:
    """Read all rows of an input, answer them window by window, and write the answers in order.

    Args:
        job: what is asked.
        engine: computes the answers; it is closed in the end.

    Returns:
        How far the first answers are from those in float32; see `BasePredictor.rounding`.

    Raises:
        DataError: no row can be read; or, if the job is strict, some cannot.
        OutputError: the output cannot be written, or an interrupted one belongs to another call.
        ModelError: a worker process has ended.
    """
    failed = True
    try:
        ending = "" if job.output is None else job.output.suffix.lower()
        view = engine.describe(sample=ending in TABLES)
        stream, pair = job.stream, job.options.get("pair")
        if stream.is_text or stream.columns is not None:
            check_columns(None if stream.is_text else stream.columns, stream.where(1), pair, view.readers)
        if job.strict and stream.again:
            _check_rows(stream, pair, view)
        writer = _make_writer(job, ending, view)
        if job.output is None:
            sink = StandardOutput()
            rounding = _run(job, engine, view, writer, sink)
        else:
            partial = PartialOutput(job.output, _identify(job, ending, view), stream.again and stream.path is not None)
            with partial.lock():
                partial.start(writer.begin(), job.overwrite)
                rounding = _run_resumable(job, engine, view, writer, partial)
        failed = False
        return rounding
    except BrokenProcessPool as error:
        raise explain_broken(error) from None
    finally:
        engine.close(failed=failed)


def _run_resumable(
    job: Job, engine: Engine, view: ModelView, writer: Writer, partial: PartialOutput
) -> Mapping[str, float] | None:
    if done := partial.progress.problems.rows:
        note(f"{partial.path}: continues behind {done:,} rows, which an interrupted call has answered.")
    try:
        return _run(job, engine, view, writer, partial)
    except BaseException:
        rows, bad = partial.progress.problems.rows, partial.progress.problems.bad
        if rows == bad or not (job.stream.again and job.stream.path is not None):
            with suppress(OSError):
                partial.discard()
        else:
            note(f"{partial.path}: holds the answers for {rows:,} rows; call again to continue.")
        raise


def _run(job: Job, engine: Engine, view: ModelView, writer: Writer, sink: _Sink) -> Mapping[str, float] | None:
    """Answer what is not answered yet, and finish the output."""
    done, meter = sink.progress.problems.rows, Meter()
    windows = _cut_windows(job.stream, view.window, meter, done)
    bar: Bar | None = None
    rounding: Mapping[str, float] | None = None
    try:
        for answered in _answer_in_order(windows, engine, writer):
            rounding = rounding or answered.rounding
            problems = Problems()
            problems.join(sink.progress.problems)
            problems.join(answered.problems)
            texts, cut = sink.progress.texts + answered.texts, sink.progress.cut + answered.cut
            _append(job, sink, answered.content, Progress(problems, 0, texts, cut))
            if bar is None and meter.is_known and not meter.ended:
                bar = Bar("Predicting", 100, "per cent", meter.percent)
            if bar is not None:
                bar.advance(meter.percent - bar.done, f"{problems.rows:,} rows")
    finally:
        if bar is not None:
            bar.close()
    problems = sink.progress.problems
    if problems.bad == problems.rows:
        sink.discard()
        raise problems.as_error()
    _guard(job, lambda: sink.finish(writer))
    if problems.bad:
        note(problems.as_note())
    if sink.progress.cut:
        note(_say_cut(sink.progress, view))
    return rounding


def _answer_in_order(windows: Iterator[Window], engine: Engine, writer: Writer) -> Iterator[Answered]:
    pending: deque[Future[Answered]] = deque()
    for window in windows:
        pending.append(engine.submit(window, writer))
        if len(pending) > engine.depth:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()


def _cut_windows(stream: RowStream, size: int, meter: Meter, skip: int = 0) -> Iterator[Window]:
    """Yield the rows in windows that begin at a multiple of their size, whatever is skipped."""
    rows = stream.read(meter)
    for _ in islice(rows, skip):
        pass
    some = list(islice(rows, size))
    first = skip == 0
    while some:
        following = list(islice(rows, size))
        meter.ended = not following
        places = [stream.where(number) for number, _ in some]
        yield Window([row for _, row in some], places, alone=first and not following)
        some, first = following, False


def _check_rows(stream: RowStream, pair: str | None, view: ModelView) -> None:
    """Read all rows, and refuse those that cannot be answered.

    Raises:
        DataError: there are some; all are counted, the first named.
    """
    problems = Problems()
    for window in _cut_windows(stream, view.window, Meter()):
        pairs = gather_pairs(pair, len(window.rows))
        inputs = Inputs(window.rows, lambda index, places=window.places: places[index])  # type: ignore[misc]
        problems.join(read_inputs(inputs, pairs, view.readers).problems)
    if problems.bad:
        raise problems.as_error()


def _make_writer(job: Job, ending: str, view: ModelView) -> Writer:
    if ending not in TABLES:
        return JsonWriter()
    assert view.sample is not None  # asked for
    answers = find_answer_columns(view.sample, view.tasks)
    columns = TableColumns(infer_columns(job.stream, job.options.get("pair"), answers), answers, view.tasks)
    return ArrowWriter(columns, job.stream.schema) if ending == ".parquet" else DelimitedWriter(columns, TABLES[ending])


def _identify(job: Job, ending: str, view: ModelView) -> dict[str, Any]:
    """Describe what the bytes of an output depend on."""
    path = job.stream.path
    settings = {
        **job.options,
        "format": ending if ending in TABLES else ".jsonl",
        "window": view.window,
        "threads": view.threads,
        "device": os.environ.get("EQUIPOISE_DEVICE", ""),
        "version": __version__,
        **job.stream.dialect.given,
    }
    found = None if path is None else {"name": path.name, "size": path.stat().st_size, "digest": digest_file(path)}
    return {"input": found, "model": _digest_model(job.model), "settings": settings}


def _digest_model(model: Path) -> Any:
    """Return the digest of a model: that of the file that lists those of the others, where there is one."""
    for listing in (model / "equipoise.json", model / "model" / "equipoise.json"):
        if listing.is_file():
            return digest_file(listing)
    return digest_file(model) if model.is_file() else digest_folder(model)


def _append(job: Job, sink: _Sink, content: bytes, progress: Progress) -> None:
    _guard(job, lambda: sink.append(content, progress))


def _guard(job: Job, write: Any) -> None:
    """Write, and say what is wrong where that fails.

    Raises:
        OutputError: it does.
    """
    try:
        write()
    except BrokenPipeError:
        raise
    except OSError as error:
        if job.output is None:
            # What is left in the buffer cannot be written at the end either.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise OutputError(
            f"{job.output or 'standard output'}: cannot be written ({error.strerror or error}); free some space, or "
            "choose another place."
        ) from None


def _say_cut(progress: Progress, view: ModelView) -> str:
    one = progress.cut == 1
    return (
        f"{progress.cut:,} of {progress.texts:,} texts {'is' if one else 'are'} longer than {view.max_length:,} tokens "
        f"and {'was' if one else 'were'} cut; `long_texts: windows` at training reads all of them."
    )


class StandardOutput:
    """Answers on standard output. As long as all are errors they are held back: where all are, none is written.

    Attributes:
        progress: how far it is.
    """

    def __init__(self) -> None:
        self.progress = Progress()
        self._held: Any = tempfile.SpooledTemporaryFile(max_size=_HELD)  # noqa: SIM115

    def append(self, content: bytes, progress: Progress) -> None:
        """Write the answers for a window."""
        self.progress = progress
        if progress.problems.bad == progress.problems.rows:
            self._held.write(content)
            return
        if not self._held.closed:
            self._held.seek(0)
            for line in self._held:
                sys.stdout.write(line.decode())
            self._held.close()
        sys.stdout.write(content.decode())
        sys.stdout.flush()

    def finish(self, writer: Writer) -> None:
        """Write what is left."""
        sys.stdout.flush()

    def discard(self) -> None:
        """Write nothing of what is held back."""
        self._held.close()
