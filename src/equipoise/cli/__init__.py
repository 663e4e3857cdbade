"""The `equipoise` command: one file per subcommand.

Heavy imports stand inside the commands, so that help and usage errors come at once.
"""

import errno
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from typing import Annotated

import typer

from equipoise import __version__
from equipoise.errors import EquipoiseError, UsageError
from equipoise.terminal import hush_torchao, notes_for_warnings

from . import (
    add_task,
    calibrate,
    check,
    compare,
    difficulty,
    evaluate,
    experts,
    export,
    fetch,
    former,
    init,
    list_,
    merge,
    mix,
    predict,
    push,
    quickstart,
    search,
    serve,
    train,
    tune,
)

app = typer.Typer(
    name="equipoise",
    help="Fine-tune one language model for many sentiment tasks at once, and keep them in balance.",
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
for command in (
    quickstart.quickstart,
    init.init,
    check.check,
    train.train,
    compare.compare,
    tune.tune,
    difficulty.difficulty,
    mix.mix,
    experts.experts,
    evaluate.evaluate,
    calibrate.calibrate,
    predict.predict,
    add_task.add_task,
    export.export,
    search.search,
    serve.serve,
):
    app.command()(command)
app.command(context_settings={"token_normalize_func": merge.current_name})(merge.merge)
app.command()(push.push)
app.command()(fetch.fetch)
app.command("list")(list_.list_)
for hidden in (former.keys, former.balancers, former.operators):
    app.command(hidden=True)(hidden)


_INTERRUPTED = 130
"""The exit code that typer returns after Ctrl-C."""
_PATIENCE = 5.0
"""Seconds that the other processes of a training wait for the first one to say what they all have found."""
_CONTINUE = {
    "train": "; resume the training with --resume",
    "quickstart": "; resume the training with --resume",
    "predict": "; the same call of predict -o continues",
}
"""By command: how it continues after an interruption."""


@app.callback(invoke_without_command=True)
def _options(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version.", is_eager=True)] = False,
) -> None:
    if version:
        typer.echo(f"equipoise {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), nl=False)
        raise typer.Exit(UsageError.exit_code)


def main() -> None:
    """Run the command and exit. A user's mistake ends in a message and an exit code, never in a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace")
    hush_torchao()
    with notes_for_warnings(), _ended_like_ctrl_c():
        code = _run()
    if code == _INTERRUPTED:
        print(f"interrupted{_CONTINUE.get(' '.join(sys.argv[1:2]), '')}", file=sys.stderr)
        code = 1
    sys.exit(code)


@contextmanager
def _ended_like_ctrl_c() -> Iterator[None]:
    """Let SIGTERM do what Ctrl-C does: temporary files are removed, and a line says what has happened."""
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _run() -> int:
    """Run the command and return its exit code."""
    try:
        return app(standalone_mode=False) or 0
    except typer.TyperException as error:
        return _explain(error)
    except EquipoiseError as error:
        if _is_told():
            return error.exit_code
        kind = "usage" if isinstance(error, UsageError) else "error"
        print(f"{kind}: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        # The reader went away (`equipoise … | head`): nobody is left to read a message.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except ModuleNotFoundError as error:
        return _explain_missing(error)
    except OSError as error:
        return _explain_os_error(error)


def _is_told() -> bool:
    """Whether the first of several processes has told the user: it does, and its launcher ends the others."""
    if os.environ.get("RANK", "") in ("", "0"):
        return False
    try:
        time.sleep(_PATIENCE)
    except KeyboardInterrupt:
        return True
    return False


def _explain(error: typer.TyperException) -> int:
    """Print what is wrong with the command line, and return the exit code."""
    context = getattr(error, "ctx", None)
    message = error.format_message().replace("Value error, ", "")  # pydantic's words, not ours
    end = "" if message.endswith((".", "?")) else "."
    hint = f" See `{context.command_path} --help`." if context is not None else ""
    print(f"usage: {EquipoiseError(message + end + hint)}", file=sys.stderr)
    return error.exit_code


def _explain_missing(error: ModuleNotFoundError) -> int:
    """Print which package is missing, and return the exit code."""
    package = (error.name or str(error)).partition(".")[0]
    if package == "equipoise":
        raise error
    hint = "install equipoise with its dependencies; without torch only exported models can be used, by predict"
    print(
        f"usage: {EquipoiseError(f'the package {package} is missing, which this command needs; {hint}.')}",
        file=sys.stderr,
    )
    return UsageError.exit_code


def _explain_os_error(error: OSError) -> int:
    """Print what the operating system refused, and return the exit code."""
    hint = " Free some space, then resume a training run with --resume." if error.errno == errno.ENOSPC else ""
    # An error without a number comes from a library, not from the disk.
    unnamed = f"equipoise {' '.join(sys.argv[1:2])}, a file or standard output" if error.errno is not None else ""
    where = f"{error.filename or unnamed}: " if error.filename or unnamed else ""
    text = f"{error.strerror or error}".rstrip(".")
    print(f"error: {EquipoiseError(f'{where}{text}.{hint}')}", file=sys.stderr)
    return 1
