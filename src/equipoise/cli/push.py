"""`equipoise push`."""

from typing import Annotated

import typer

from .options import ModelFolder


def push(
    model: ModelFolder,
    hub_id: Annotated[str, typer.Argument(metavar="HUB_ID", help="Where to: user/name or organization/name.")],
    private: Annotated[bool, typer.Option("--private", help="Make the repository private, where it is made.")] = False,
) -> None:
    """Upload a model and its card to the Hugging Face hub.

    The token is the one of `hf auth login`, or that of the environment variable HF_TOKEN.
    """
    from equipoise.modeling import push as upload

    typer.echo(upload(model, hub_id, private=private))
