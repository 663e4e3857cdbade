"""Running the service."""

import gc
import signal
from collections.abc import Sequence

import uvicorn

from equipoise.predicting import BasePredictor

from .app import make_app
from .limits import Limits


def serve(
    predictor: BasePredictor,
    name: str,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    limits: Limits | None = None,
    api_key: str | None = None,
    origins: Sequence[str] = (),
) -> None:
    """Serve a model until the process is asked to end (SIGINT, SIGTERM); what has been asked by then is answered.

    Args:
        predictor: what answers.
        name: the model's name, for `/info`.
        host: address to listen at; by default only this machine can ask.
        port: port to listen at.
        limits: what is taken at most.
        api_key: see `make_app`.
        origins: see `make_app`.
    """
    app = make_app(predictor, name, limits=limits, api_key=api_key, origins=origins)
    # What is loaded stays; to look through it for garbage again and again takes longer than to read some requests.
    gc.collect()
    gc.freeze()
    # uvicorn raises a signal again once it has ended in order; then it has done its work.
    before = {number: signal.signal(number, _ignore) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        uvicorn.run(
            app,
            host=host,
            port=port,
            access_log=False,
            server_header=False,
            log_level="warning",
            timeout_graceful_shutdown=30,
        )
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        gc.unfreeze()


def _ignore(number: int, frame: object) -> None:
    """Take a signal that has been obeyed."""
