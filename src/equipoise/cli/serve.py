"""`equipoise serve`."""

import os
from pathlib import Path
from typing import Annotated

import typer

from .options import Device, ModelFolder, Precision

API_KEY = "EQUIPOISE_API_KEY"

Host = Annotated[str, typer.Option(help="The address to listen at; 0.0.0.0 lets other machines ask.")]
Port = Annotated[int, typer.Option(min=1, max=65535, help="The port to listen at.")]
Origins = Annotated[
    list[str] | None,
    typer.Option(
        "--origin", help="A web origin whose pages may ask (CORS), such as https://example.org; may be repeated."
    ),
]
BatchSize = Annotated[int, typer.Option(min=1, help="Texts in a pass of the model, at most.")]
Queue = Annotated[int, typer.Option(min=1, help="Texts that wait, at most; further requests are answered by 429.")]
Items = Annotated[int, typer.Option(min=1, help="Texts in a request, at most.")]
Characters = Annotated[int, typer.Option(min=1, help="Characters of a text, at most.")]


def serve(
    model: ModelFolder,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    origin: Origins = None,
    batch_size: BatchSize = 32,
    queue: Queue = 1024,
    max_items: Items = 256,
    max_characters: Characters = 20_000,
    device: Device = None,
    precision: Precision = "fp32",
) -> None:
    """Serve a model over HTTP, with a page at `/` to try it.

    If the environment variable EQUIPOISE_API_KEY is set, requests must carry it in the header `X-API-Key`. No text is
    logged or kept.
    """
    from equipoise.errors import UsageError
    from equipoise.loading import load

    try:
        from equipoise.serving import Limits
        from equipoise.serving import serve as run
    except ImportError as error:
        raise UsageError(f'{error.name} is not installed; `pip install "equipoise[serve]"` brings it.') from None
    key = os.environ.get(API_KEY)
    if key is not None and not key.strip():
        raise UsageError(f"{API_KEY}: found an empty key; set it to a secret, or unset it to let everybody in.")
    folder = Path(os.path.abspath(model))
    predictor = load(model, precision=precision)
    limits = Limits(items=max_items, characters=max_characters, queue=max(queue, max_items), batch_size=batch_size)
    _check_port(host, port)
    typer.echo(f"serving {folder.name} at http://{host}:{port} (Ctrl-C ends it)")
    run(predictor, folder.name, host=host, port=port, limits=limits, api_key=key, origins=origin or ())


def _check_port(host: str, port: int) -> None:
    """Refuse an address that cannot be listened at, in one line."""
    import socket

    from equipoise.errors import UsageError

    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        raise UsageError(f"--host {host} --port {port}: {error.strerror or error}; choose another.") from None
