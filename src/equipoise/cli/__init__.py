"""The `equipoise` command: one file a subcommand.

Heavy imports stand inside the commands, so that help and usage errors come at once.
"""

import errno
import os
import sys

import typer

from equipoise.errors import EquipoiseError, UsageError

from . import evaluate, fetch, keys, predict, quickstart, train

app = typer.Typer(
    name="equipoise",
    help="Fine-tune one language model for many sentiment tasks at once, and keep them in balance.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
for command in (quickstart.quickstart, train.train, evaluate.evaluate, predict.predict, fetch.fetch, keys.keys):
    app.command()(command)


def main() -> None:
    """Run the command; a user's mistake ends in a message and an exit code, never in a traceback."""
    try:
        app()
    except EquipoiseError as error:
        kind = "usage" if isinstance(error, UsageError) else "error"
        print(f"{kind}: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:
        # The reader went away (`equipoise … | head`); nothing is left to say.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EDQUOT):
            raise
        print(f"error: {error.filename or 'a file'}: cannot be written ({error.strerror}).", file=sys.stderr)
        sys.exit(1)
