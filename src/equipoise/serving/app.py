"""The routes of the service."""

import hmac
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.security import APIKeyHeader
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.middleware.cors import CORSMiddleware

from equipoise import __version__
from equipoise.errors import did_you_mean, shorten
from equipoise.json_values import as_json_value
from equipoise.kinds import as_text
from equipoise.predicting import BasePredictor

from .batching import Ask, Batcher, Item, QueueFullError
from .guard import Guard
from .limits import Limits
from .messages import Answers, Asked, Info, Refusal, Status, TaskInfo
from .metrics import ServiceMetrics

_PAGE = {
    "/": ("page.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
}
_PATHS = frozenset((*_PAGE, "/predict", "/health", "/ready", "/metrics", "/info", "/openapi.json"))
_REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": Refusal, "description": "The request is not JSON."},
    401: {"model": Refusal, "description": "The API key is missing or wrong."},
    408: {"model": Refusal, "description": "The request did not arrive in time."},
    413: {"model": Refusal, "description": "The request is too large."},
    422: {"model": Refusal, "description": "The request asks for something that does not exist."},
    429: {"model": Refusal, "description": "Too many texts wait; try again after `Retry-After` seconds."},
}


def make_app(
    predictor: BasePredictor,
    name: str,
    *,
    limits: Limits | None = None,
    api_key: str | None = None,
    origins: Sequence[str] = (),
) -> FastAPI:
    """Return the service as an ASGI application.

    Args:
        predictor: what answers.
        name: the model's name, for `/info`.
        limits: what is taken at most.
        api_key: what the header `X-API-Key` must hold for `/predict`, `/info` and `/metrics`; None lets everybody in.
        origins: web origins whose pages may ask (CORS), such as "https://example.org"; by default none.

    Example:
        ```python
        app = make_app(load("runs/quickstart"), "quickstart")  # uvicorn module:app
        ```
    """
    limits = limits or Limits()
    metrics = ServiceMetrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.batcher = Batcher(predictor, limits.batch_size, limits.queue, metrics)
        app.state.batcher.start()
        yield
        await app.state.batcher.stop()

    app = FastAPI(
        title="Equipoise",
        version=__version__,
        summary=f"Answers of the model {name} for texts, all tasks in one pass.",
        lifespan=lifespan,
        docs_url=None,  # these pages load scripts from elsewhere
        redoc_url=None,
        responses={code: _REFUSALS[code] for code in (408, 413)},
    )
    app.add_exception_handler(RequestValidationError, _explain_validation)
    app.add_exception_handler(StarletteHTTPException, _explain_http)
    if origins:
        app.add_middleware(CORSMiddleware, allow_origins=list(origins), allow_headers=["X-API-Key", "Content-Type"])
    app.add_middleware(Guard, limits=limits, metrics=metrics, paths=_PATHS)
    keyed = [] if api_key is None else [Depends(_key_check(api_key))]
    _add_answers(app, predictor, limits, metrics, keyed)
    _add_facts(app, predictor, name, limits, metrics, keyed)
    _add_page(app)
    _name_tasks(app, predictor, limits)
    return app


def _name_tasks(app: FastAPI, predictor: BasePredictor, limits: Limits) -> None:
    """Let the schema say which tasks there are, and how many texts are taken."""
    asked = app.openapi()["components"]["schemas"]["Asked"]["properties"]  # kept by FastAPI, and given out from then on
    asked["tasks"]["anyOf"][0]["items"]["enum"] = list(predictor.tasks)
    several = next(form for form in asked["texts"]["anyOf"] if form["type"] == "array")
    asked["texts"]["anyOf"] = [form for form in asked["texts"]["anyOf"] if form is not several]
    asked["texts"]["anyOf"].append({**several, "minItems": 1, "maxItems": limits.items})


def _key_check(api_key: str) -> Any:
    header = APIKeyHeader(name="X-API-Key", auto_error=False)

    async def check(given: Annotated[str | None, Depends(header)]) -> None:
        # Compared in constant time, so that the time tells nothing of the key.
        if not hmac.compare_digest((given or "").encode(), api_key.encode()):
            raise HTTPException(401, "the header X-API-Key is missing or wrong")

    return check


def _add_answers(
    app: FastAPI, predictor: BasePredictor, limits: Limits, metrics: ServiceMetrics, keyed: list[Any]
) -> None:
    refusals: dict[int | str, dict[str, Any]] = {code: _REFUSALS[code] for code in (400, 401, 422, 429)}

    @app.post("/predict", response_model=Answers, responses=refusals, dependencies=keyed)
    async def predict(asked: Asked, request: Request) -> JSONResponse:
        """Answer all tasks for one text or several; a text that cannot be answered gets an error of its own."""
        started = time.monotonic()
        entries = asked.texts if isinstance(asked.texts, list) else [asked.texts]
        most = limits.explained if asked.explain else limits.items
        if not 0 < len(entries) <= most:
            raise HTTPException(422, f"texts: found {len(entries)}, expected 1 to {most}")
        for task in asked.tasks or ():
            if task not in predictor.tasks:
                raise HTTPException(
                    422, f"tasks: there is no '{shorten(task, 60)}'. {did_you_mean(task, predictor.tasks)}"
                )
        read = [_read(entry, asked, predictor, limits) for entry in entries]
        items = [entry for entry in read if isinstance(entry, Item)]
        batcher: Batcher = request.app.state.batcher
        try:
            found = iter(await batcher.answer(items))
        except QueueFullError as error:
            raise HTTPException(429, str(error), {"Retry-After": str(error.seconds)}) from None
        answers = [next(found) if isinstance(entry, Item) else {"error": entry} for entry in read]
        metrics.answered(
            time.monotonic() - started, len(answers), sum(isinstance(answer.get("error"), str) for answer in answers)
        )
        return JSONResponse(as_json_value({"answers": answers}))


def _read(entry: Any, asked: Asked, predictor: BasePredictor, limits: Limits) -> Item | str:
    """Return the text of a request's entry with what is asked about it, or what is wrong with it."""
    if isinstance(entry, dict) and "text" not in entry:
        return 'text: the key is missing; give {"text": …}'
    given = (entry.get("text"), entry.get("pair")) if isinstance(entry, dict) else (entry, None)
    text, pair = map(as_text, given)  # a number is read as its text, as everywhere
    for name, value in (("text", text), ("pair", pair)):
        if not isinstance(value, str) and not (name == "pair" and value is None):
            kind = "null" if value is None else type(value).__name__
            return f"{name}: found {kind}, expected a string or a number"
        if value is not None and len(value) > limits.characters:
            return f"{name}: found {len(value):,} characters, expected {limits.characters:,} at most"
    tasks = asked.tasks or [
        name for name, task in predictor.tasks.items() if not task.auxiliary and (pair is not None or not task.pair)
    ]
    if not tasks:
        return 'pair: found none, and all tasks read a second text; give {"text": …, "pair": …}'
    if asked.explain and not asked.tasks:
        found = {name: predictor.tasks[name] for name in tasks}
        tasks = [name for name, task in found.items() if task.explained_unit and not task.is_prompted]
        if not tasks:
            return "explain: no task of this model can be explained; leave it out"
    return Item(str(text), pair, Ask(tuple(dict.fromkeys(tasks)), asked.tasks is not None, asked.options))


def _add_facts(
    app: FastAPI, predictor: BasePredictor, name: str, limits: Limits, metrics: ServiceMetrics, keyed: list[Any]
) -> None:
    unready: dict[int | str, dict[str, Any]] = {503: {"model": Refusal, "description": "It does not answer now."}}
    private: dict[int | str, dict[str, Any]] = {401: _REFUSALS[401]}

    @app.get("/health", response_model=Status)
    async def health() -> Status:
        """Say that the process lives."""
        return Status(status="ok")

    @app.get("/ready", response_model=Status, responses=unready)
    async def ready(request: Request) -> Status:
        """Say whether texts are answered."""
        if not request.app.state.batcher.is_working:
            raise HTTPException(503, "texts are not answered now")
        return Status(status="ready")

    @app.get("/info", response_model=Info, responses=private, dependencies=keyed)
    async def info() -> Info:
        """Say which tasks are answered, in which precision, and what is taken at most."""
        tasks = {
            key: TaskInfo(kind=task.kind, classes=list(task.class_names), reads_pair=task.pair is not None)
            for key, task in predictor.tasks.items()
            if not task.auxiliary
        }
        most = {"items": limits.items, "characters": limits.characters, "body_bytes": limits.body_bytes}
        return Info(model=name, version=__version__, precision=predictor.precision, tasks=tasks, limits=most)

    @app.get("/metrics", responses=private, dependencies=keyed, response_class=Response)
    async def show_metrics() -> Response:
        """Return counters and times in Prometheus' text format."""
        return Response(metrics.write(), media_type="text/plain; version=0.0.4")


def _add_page(app: FastAPI) -> None:
    folder = files("equipoise.serving") / "page"
    for path, (file, media) in _PAGE.items():
        app.add_route(path, _giving((folder / file).read_bytes(), media), include_in_schema=False)


def _giving(content: bytes, media: str) -> Callable[[Request], Response]:
    """Return a route that gives a file of the page, whatever the request asks besides."""

    def give(request: Request) -> Response:
        return Response(content, media_type=media)

    return give


async def _explain_validation(request: Request, error: Exception) -> JSONResponse:
    """Say what is wrong with a request; what was found is not repeated."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return JSONResponse({"error": "the request is not JSON"}, 400)
    given = request.headers.get("content-type", "none")
    if first["loc"] == ("body",) and "json" not in given:
        message = f"header Content-Type: found {given}, expected application/json"
        return JSONResponse({"error": _printable(message)}, 422)
    where = ".".join(str(part) for part in first["loc"][1:]) or "the request"
    return JSONResponse({"error": _printable(f"{where}: {first['msg']}")}, 422)


async def _explain_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, StarletteHTTPException)
    detail = str(error.detail)
    if error.status_code == 400:  # the framework's words name neither what was found nor the way out
        detail = "the request cannot be read, expected JSON in UTF-8"
    return JSONResponse({"error": _printable(detail)}, error.status_code, error.headers)


def _printable(message: str) -> str:
    return shorten(message).encode("utf-8", "replace").decode()
