"""The dashboard as an ASGI application: takes a site, gives pages, orders, files and the stream of changes.

Pages are made in threads, as they wait for the disk and for DuckDB; what they raise becomes a page that says what to
do. `?part=NAME` gives one block of a page, which the page's script puts in the place of the old one.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from engine.errors import XpError
from engine.report.forms.environment import TEMPLATES
from engine.serve.actions import ACTIONS
from engine.serve.rendering import render
from engine.serve.routes import ANSWERS, PAGES
from engine.serve.site import Site
from engine.serve.streams import changes
from engine.serve.view import Action, Answer, Asked, Page, Raw, Trouble, View
from store.queue import START_SERVER, QueueFault, is_damage, is_on_server
from store.readonly import StoreError

Handler = Callable[[Request], Awaitable[Response]]
FIELDS = 200  # words of a form
NOT_FOUND, UNREACHED = 404, 503


def make_app(site: Site) -> Starlette:
    """Return the application for one home. It checks no host and no token: the guard around it does."""
    routes: list[Route | Mount] = [Route(path, _page(site, make)) for path, make in (PAGES | ANSWERS).items()]
    routes += [Route(path, _action(site, act), methods=["POST"]) for path, act in ACTIONS.items()]
    routes += [Route("/live", _stream(site)), Mount("/static", _files())]
    made = Starlette(routes=routes, exception_handlers={NOT_FOUND: _unknown(site), Exception: _failed(site)})
    # It would lead to the address that the proxy sees, which has no prefix.
    made.router.redirect_slashes = False
    # A tenth smaller would take three times as long, from jobs on the same machine.
    made.add_middleware(GZipMiddleware, minimum_size=1000, compresslevel=3)
    return made


def _page(site: Site, make: Page) -> Handler:
    async def answer(request: Request) -> Response:
        asked = _asked(site, request)
        return await run_in_threadpool(
            _answer_page, asked, make, request.url.path, request.query_params.get("part", "")
        )

    return answer


def _answer_page(asked: Asked, make: Page, address: str, part: str) -> Response:
    try:
        made = make(asked)
    except (XpError, StoreError) as error:
        made = _trouble(error)
        part = ""
    except QueueFault as error:
        if not is_on_server() or is_damage(error):
            raise
        made, part = _unreached(error), ""
    if isinstance(made, Raw):
        return _raw(made)
    try:
        return HTMLResponse(render(asked, made, address, part), status_code=made.status)
    except KeyError:
        if not part:
            raise
        return Response(f"this page has no part {part!r}", status_code=NOT_FOUND, media_type="text/plain")


def _trouble(error: XpError | StoreError) -> View:
    where = getattr(error, "where", "")
    what = getattr(error, "what", str(error))
    return View("trouble", "Not possible", Trouble(what, where, error.fix), status=400)


def _unreached(error: QueueFault) -> View:
    what = f"the server of the queue does not answer: {str(error.orig).splitlines()[0]}"
    return View("trouble", "Not possible", Trouble(what, "XP_QUEUE", START_SERVER), status=UNREACHED)


def _raw(made: Raw) -> Response:
    headers = dict(made.headers)
    if made.name:
        headers["content-disposition"] = f'attachment; filename="{made.name}"'
    if made.file is not None:
        return FileResponse(made.file, media_type=made.kind, headers=headers)
    return Response(made.body, media_type=made.kind, headers=headers)


def _action(site: Site, act: Action) -> Handler:
    async def answer(request: Request) -> Response:
        async with request.form(max_files=0, max_fields=FIELDS) as form:
            words = {name: tuple(str(value) for value in form.getlist(name)) for name in form}
        asked = Asked(site, {**request.path_params, "verb": request.url.path.rpartition("/")[2]}, words)
        return await run_in_threadpool(_answer_action, asked, act)

    return answer


def _answer_action(asked: Asked, act: Action) -> Response:
    try:
        return _note(act(asked), 200)
    except XpError as error:
        return _note(Answer(str(error), is_good=False), 422)


def _note(said: Answer, status: int) -> Response:
    """An order's answer: nothing to put anywhere, and an event with its sentence for the page's script."""
    told = json.dumps({"said": {"text": said.text, "good": said.is_good}})  # ASCII, as a header must be
    return Response(status_code=status, headers={"HX-Trigger": told, "HX-Reswap": "none"})


def _stream(site: Site) -> Handler:
    async def answer(request: Request) -> Response:
        return StreamingResponse(
            changes(site.watcher), media_type="text/event-stream", headers={"cache-control": "no-store"}
        )

    return answer


def _unknown(site: Site) -> Callable[[Request, Exception], Response]:
    def answer(request: Request, error: Exception) -> Response:
        view = View(
            "trouble", "Not here", Trouble("there is nothing at this address", "", "go to the experiments"), 404
        )
        return HTMLResponse(render(Asked(site), view, request.url.path), status_code=404)

    return answer


def _failed(site: Site) -> Callable[[Request, Exception], Response]:
    def answer(request: Request, error: Exception) -> Response:
        view = View("trouble", "Not possible", Trouble("xp failed here", "", "its log says where"), 500)
        return HTMLResponse(render(Asked(site), view, request.url.path), status_code=500)

    return answer


def _asked(site: Site, request: Request) -> Asked:
    words = {name: tuple(request.query_params.getlist(name)) for name in request.query_params}
    return Asked(site, dict(request.path_params), words)


class _Static(StaticFiles):
    """Files of the dashboard and the report's own style, which both share."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        if path == "style.css":
            return Response((TEMPLATES / "style.css").read_bytes(), media_type="text/css")
        return await super().get_response(path, scope)


def _files() -> Any:
    return _Static(directory=TEMPLATES / "serve" / "static")
