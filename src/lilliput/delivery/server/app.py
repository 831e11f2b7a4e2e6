"""The routes. Everything that takes time is done by the desk's threads, never on the event loop."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

import lilliput
from lilliput.delivery.server import replies
from lilliput.delivery.server.body import pictures_sent
from lilliput.delivery.server.counts import TEXT, Counts
from lilliput.delivery.server.desk import Desk
from lilliput.delivery.server.guard import Guard
from lilliput.delivery.server.limits import Limits
from lilliput.delivery.server.looking import Served, explain, label
from lilliput.delivery.server.memory import Memory
from lilliput.delivery.server.page import FILES, examples, page_file
from lilliput.delivery.server.refusal import AsciiJSON, Refusal

_ROUTES = ("/predict", "/explain", "/model", "/examples", "/healthz", "/readyz", "/metrics")
_ROUTES += ("/openapi.json", *FILES)
Top = Annotated[int, Query(ge=1, le=1000, description="how many classes to name")]
ByName = Annotated[str, Query(description="which classifier; the first if none is named")]


@dataclass(eq=False)
class Service:
    """What the routes share: the classifiers, the limits, the desk, the counts."""

    served: Sequence[Served]
    limits: Limits
    is_leaving: bool = False
    counts: Counts = field(default_factory=Counts)
    desk: Desk = field(init=False)
    memory: Memory = field(init=False)

    def __post_init__(self) -> None:
        self.memory = Memory(self.limits.held_bytes)
        self.desk = Desk(self.limits.workers, self.limits.queue)

    def named(self, name: str) -> Served:
        """The classifier of this name, the first for "". Raises: Refusal."""
        for one in self.served:
            if name in ("", one.name):
                return one
        known = ", ".join(one.name for one in self.served)
        raise Refusal(422, "UsageError", "no classifier of this name is served", f"known: {known}")


def build_app(service: Service, hosts: Iterable[str] = ()) -> ASGIApp:
    """The application: routes behind a guard that also knows the server by ``hosts``."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        service.desk.close()

    app = FastAPI(
        title="Lilliput",
        version=lilliput.__version__,
        summary="What pictures show.",
        docs_url=None,  # FastAPI's pages for people load scripts of other sites
        redoc_url=None,
        lifespan=lifespan,
    )
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _wrong_value)
    app.add_exception_handler(Exception, _bug)
    _add_answers(app, service)
    _add_facts(app, service)
    _add_page(app)
    return Guard(app, hosts, _ROUTES, service.counts)


def _add_answers(app: FastAPI, service: Service) -> None:
    @app.post(
        "/predict",
        response_model=replies.Labelled,
        responses=replies.REFUSALS,
        openapi_extra=replies.PICTURE_BODY,
        summary="The most probable classes of pictures",
    )
    async def predict(request: Request, top: Top = 5) -> Response:
        with service.memory.hold() as take:
            sent, is_form = await pictures_sent(request, service.limits, take)
            asked = (service.served, sent, top, service.limits.pixels)
            said = await service.desk.do(request, label, *asked)
        refused = [one["error"] for one in said if "error" in one]
        service.counts.images(len(said) - len(refused), len(refused))
        if refused and not is_form:
            raise Refusal(422, **refused[0])
        return AsciiJSON({"pictures": said})

    @app.post(
        "/explain",
        response_model=replies.Explained,
        responses=replies.REFUSALS,
        openapi_extra=replies.PICTURE_BODY,
        summary="Which places of a picture the best class rests on",
    )
    async def explain_picture(request: Request, classifier: ByName = "") -> Response:
        one = service.named(classifier)
        with service.memory.hold() as take:
            sent, _ = await pictures_sent(request, service.limits, take)
            best, drops = await service.desk.do(request, explain, one, sent[0])
        rounded = drops.round(6).tolist()
        return AsciiJSON({"classifier": one.name, "best": best._asdict(), "drops": rounded})


def _add_facts(app: FastAPI, service: Service) -> None:
    @app.get("/model", response_model=replies.Model, summary="What is served")
    async def model() -> Response:
        limits = service.limits
        told = {"body_bytes": limits.body_bytes, "files": limits.files}
        return AsciiJSON({"classifiers": [one.facts() for one in service.served], "limits": told})

    @app.get("/healthz", summary="Whether the server lives")
    async def healthz() -> Response:
        return AsciiJSON({"status": "ok"})

    @app.get("/readyz", summary="Whether it takes requests; 503 while it is leaving")
    async def readyz() -> Response:
        if service.is_leaving:
            raise Refusal(503, "Leaving", "the server is about to leave", "ask another")
        return AsciiJSON({"status": "ready"})

    @app.get("/metrics", summary="Counts for Prometheus")
    async def metrics() -> Response:
        desk = service.desk
        text = service.counts.text(waiting=desk.waiting, working=desk.working)
        return Response(text, media_type=TEXT)


def _add_page(app: FastAPI) -> None:
    examples()  # drawn now, not while somebody waits

    def add(path: str) -> None:
        content, kind = page_file(path)

        async def page() -> Response:
            return Response(content, media_type=kind)

        app.add_api_route(path, page, include_in_schema=False)

    for path in FILES:
        add(path)

    @app.get("/examples", response_model=list[replies.Example], summary="Pictures to try")
    async def list_examples() -> Response:
        urls = [f"/examples/{number}.png" for number in range(len(examples()))]
        named = zip(examples(), urls, strict=True)
        return AsciiJSON([{"name": one.name, "url": url} for one, url in named])

    @app.get("/examples/{number}.png", include_in_schema=False)
    async def example(number: int) -> Response:
        if not 0 <= number < len(examples()):
            raise HTTPException(404)
        return Response(examples()[number].png, media_type="image/png")


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return error.response()


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    kinds = {404: "NotFound", 405: "MethodNotAllowed"}
    hint = "see /openapi.json for what there is"
    kind = kinds.get(error.status_code, "HTTPError")
    return Refusal(error.status_code, kind, str(error.detail), hint, error.headers).response()


async def _wrong_value(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = str(first["loc"][-1])
    return Refusal(422, "UsageError", f"{where}: {first['msg']}", "see /openapi.json").response()


async def _bug(request: Request, error: Exception) -> Response:
    hint = "please report it with what the server printed"
    return Refusal(500, "InternalError", "the server met a case it does not know", hint).response()
