"""The option `--device` of every command that computes."""

from typing import Annotated

import typer


def _use(asked: str | None) -> str | None:
    if asked is not None:
        from equipoise.devices import use_device

        use_device(asked)
    return asked


Device = Annotated[
    str | None,
    typer.Option(
        callback=_use,
        metavar="cpu|cuda|cuda:N|mps",
        help="Where to compute; by default on the GPU, where one can be used.",
    ),
]
"""Chosen when the command line is read, before the command itself: it has nothing to do with it."""
