"""The `equipoise` command: one file a subcommand.

Heavy imports stand inside the commands, so that help and usage errors come at once.
"""

import errno
import os
import sys
from io import TextIOWrapper
from typing import Annotated, Any

import typer

from equipoise import __version__
from equipoise.errors import EquipoiseError, UsageError

from . import (
    balancers,
    check,
    compare,
    difficulty,
    evaluate,
    experts,
    fetch,
    keys,
    merge,
    operators,
    predict,
    quickstart,
    train,
)

app = typer.Typer(
    name="equipoise",
    help="Fine-tune one language model for many sentiment tasks at once, and keep them in balance.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
for command in (
    quickstart.quickstart,
    check.check,
    train.train,
    compare.compare,
    difficulty.difficulty,
    experts.experts,
    evaluate.evaluate,
    predict.predict,
    merge.merge,
    operators.operators,
    fetch.fetch,
    keys.keys,
    balancers.balancers,
):
    app.command()(command)


_INTERRUPTED = 130
"""The exit code by which typer answers Ctrl-C."""
_CommandLineError: type[Any] = typer.BadParameter.__mro__[2]
"""What click raises for a command line that it cannot read; typer brings it along under changing names."""


@app.callback(invoke_without_command=True)
def _options(
    version: Annotated[bool, typer.Option("--version", help="Show the version.", is_eager=True)] = False,
) -> None:
    if version:
        typer.echo(f"equipoise {__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command; a user's mistake ends in a message and an exit code, never in a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace")
    try:
        code = app(standalone_mode=False)
    except _CommandLineError as error:
        code = _explain(error)
    except EquipoiseError as error:
        kind = "usage" if isinstance(error, UsageError) else "error"
        print(f"{kind}: {error}", file=sys.stderr)
        code = error.exit_code
    except BrokenPipeError:
        # The reader went away (`equipoise … | head`); nothing is left to say.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except OSError as error:
        hint = " Make room; a training run goes on with --resume." if error.errno == errno.ENOSPC else ""
        # Without a number it is no disk's, but another library's.
        where = f"{error.filename or 'the disk'}: " if error.filename or error.errno is not None else ""
        text = f"{error.strerror or error}".rstrip(".")
        print(f"error: {EquipoiseError(f'{where}{text}.{hint}')}", file=sys.stderr)
        code = 1
    if code == _INTERRUPTED:
        print("interrupted; a training run goes on with --resume", file=sys.stderr)
        code = 1
    sys.exit(code)


def _explain(error: Any) -> int:
    """Say what is wrong with the command line, and return the exit code."""
    context = getattr(error, "ctx", None)
    if context is not None and type(error).__name__ == "NoArgsIsHelpError":
        error.show()
    else:
        hint = f" See `{context.command_path} --help`." if context is not None else ""
        print(f"usage: {EquipoiseError(error.format_message().rstrip('.') + '.' + hint)}", file=sys.stderr)
    return int(error.exit_code)
