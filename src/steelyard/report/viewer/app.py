"""The viewer as a web application: addresses, formats, errors as pages."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs, quote, urlencode

from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse, Response
from starlette.exceptions import HTTPException

from steelyard.core.errors import InputError, MissingError, SteelyardError
from steelyard.report.changes import changes
from steelyard.report.feed import atom
from steelyard.report.html import TEMPLATES, environment
from steelyard.report.plain import plain
from steelyard.report.viewer.asking import Ask, EmptyPoolError, NotThereError, Page, PendingError
from steelyard.report.viewer.drawing import standalone
from steelyard.report.viewer.guard import Guard
from steelyard.report.viewer.keeping import Keep
from steelyard.report.viewer.pages import board, cases, pairs, papers, runs
from steelyard.report.viewer.queries import Store

T = TypeVar("T")
HERE = Path(__file__).parent
# Address -> (label in the menu, what makes the page). A page without a label is reached from others.
PAGES: dict[str, tuple[str, Callable[[Ask], Page]]] = {
    "/papers": ("Papers", papers.front),
    "/paper": ("", papers.paper),
    "/ledger": ("Ledger", papers.ledger),
    "/board": ("Leaderboards", board.leaderboard),
    "/cases": ("Cases", cases.explorer),
    "/case": ("", cases.case),
    "/compare": ("Compare", pairs.compare),
    "/agreement": ("Agreement", pairs.agree),
    "/profiles": ("Profiles", board.profiles),
    "/pareto": ("Pareto", board.pareto),
    "/runs": ("Runs", runs.runs),
    "/failures": ("Failures", runs.failures),
    "/sql": ("SQL", runs.sql),
}
STATIC = {
    "viewer.js": "text/javascript",
    "viewer.css": "text/css",
    "style.css": "text/css",
    "icon.svg": "image/svg+xml",
}

FEED_S, FEED_WAIT_S = 30 * 86400.0, 60.0  # how far back the feed looks; how long a request waits for it


async def aside(act: Callable[[], T]) -> T:
    """What `act` gives, run in a thread that ends with the process: Ctrl-C never waits for it."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(set_it: Callable[[Any], None], value: Any) -> None:
        if not future.done():
            set_it(value)

    def go() -> None:
        try:
            found = act()
        except BaseException as error:
            loop.call_soon_threadsafe(settle, future.set_exception, error)
        else:
            loop.call_soon_threadsafe(settle, future.set_result, found)

    threading.Thread(target=go, daemon=True).start()
    return await future


def make_app(pool: str | None, *, host: str = "127.0.0.1", token: str = "") -> FastAPI:
    """The application over one pool.

    host: what the server is bound to. token: asked of everybody where it is not empty. Raises MissingError where there
    is no pool.
    """
    store, keep = Store(pool), Keep()
    env = environment(HERE / "templates", TEMPLATES)
    menu = [(path if path != "/papers" else "/", label) for path, (label, _) in PAGES.items() if label]
    app = FastAPI(title="Steelyard", docs_url=None, redoc_url=None, openapi_url=None)
    guard = Guard(app, host, token)

    def render(page: Page, ask: Ask, status: int, stamp: str) -> Response:
        text = env.get_template(page.template).render(
            page=page, ask=ask, menu=menu, pool=store.pool.path, stamp=stamp, numbers=store.rows(),
            now=time.time(), **page.context,
        )  # fmt: skip
        headers = {"x-pending": str(len(page.pending))}
        return Response(text.encode("utf-8", "backslashreplace"), status, headers, "text/html; charset=utf-8")

    def ask_of(request: Request, *, whole: bool = False) -> Ask:
        query = parse_qs(request.url.query, keep_blank_values=True, errors="replace")
        return Ask(store, keep, request.url.path, {k: v for k, v in query.items() if k != "token"}, whole)

    def answer(request: Request, name: str, ending: str) -> Response:
        make = PAGES[f"/{name}"][1]
        ask = ask_of(request, whole=bool(ending))
        ask.path = f"/{name}" if name != "papers" else "/"
        if ending:
            return as_data(make(ask), ask, ending)
        if name == "sql" and request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            ask.query.pop("run", None)  # a link elsewhere may show a question, not have it asked
        stamp = store.stamp()  # before anything is read: what comes meanwhile will be seen as a change
        try:
            ask.need("what the pool holds", "counts", stamp, store.counts)
            page = make(ask)
        except PendingError as wait:
            page = Page(f"Reading {wait}", "pending.html.j2", {})
        except EmptyPoolError as error:
            page = Page("Nothing was measured yet", "empty.html.j2", {"cure": error.cure})
        page.pending = ask.pending
        return render(page, ask, 200, stamp)

    def failed(request: Request, error: Exception) -> Response:
        status = status_of(error)
        what, cure = (error.what, error.cure) if isinstance(error, SteelyardError) else (str(error) or "no reason", "")
        if status == 500:
            traceback.print_exception(error, file=sys.stderr)
            what, cure = (
                f"this page broke: {type(error).__name__}: {what}",
                "The terminal of the viewer has the details.",
            )
        if request.url.path.rpartition(".")[2] in ("json", "csv", "svg"):
            return Response(json.dumps({"error": what, "cure": cure}), status, media_type="application/json")
        page = Page("Not here" if status == 404 else "That went wrong", "error.html.j2", {"what": what, "cure": cure})
        return render(page, Ask(store, keep, request.url.path, {}), status, "")

    async def shown(request: Request, act: Callable[[], Response]) -> Response:
        try:
            if request.scope.get("state", {}).get("locked"):
                page = Page("A token, please", "enter.html.j2", {"wrong": False})
                ask = Ask(store, keep, request.url.path, {})
                return render_locked(page, ask)
            return await aside(act)
        except Exception as error:
            caught = error
            return await aside(lambda: failed(request, caught))

    def render_locked(page: Page, ask: Ask) -> Response:
        text = env.get_template(page.template).render(
            page=page, ask=ask, menu=[], pool="", stamp="", numbers=0, now=0.0, **page.context
        )
        return Response(text, 401, {"www-authenticate": "Bearer"}, "text/html; charset=utf-8")

    @app.get("/")
    async def front(request: Request) -> Response:
        return await shown(request, lambda: answer(request, "papers", ""))

    @app.get("/stamp")
    async def stamp(request: Request) -> Response:
        return await shown(request, lambda: Response(
            json.dumps({"stamp": store.stamp()}), media_type="application/json"
        ))  # fmt: skip

    @app.get("/artifact/{key}")
    async def artifact(request: Request, key: str) -> Response:
        def found() -> Response:
            try:
                data = store.artifact(key)
            except (InputError, MissingError) as error:
                raise NotThereError(error.what, error.cure) from error
            name = {"content-disposition": f'attachment; filename="{key[:12]}.txt"'}
            return PlainTextResponse(data, headers=name)

        return await shown(request, found)

    @app.get("/feed.atom")
    async def feed(request: Request) -> Response:
        def found() -> Response:
            follow = sorted(ask_of(request).query.get("follow", []))
            midnight = time.time() // 86400 * 86400.0
            entry = keep.get(
                ("feed", *follow), f"{store.stamp()} {midnight}",
                lambda: changes(store.pool, midnight - FEED_S, follow)[0], FEED_WAIT_S, slow=True,
            )  # fmt: skip
            if entry.error:
                raise entry.error
            if not entry.done.is_set():
                raise MissingError("the ledger is still being judged.", "Ask again in a minute.")
            home = str(request.url.replace(query=urlencode([("follow", name) for name in follow])))
            text = atom(entry.value, title="Steelyard: verdicts that changed", home=home, updated=midnight)
            return Response(text, media_type="application/atom+xml")

        return await shown(request, found)

    @app.get("/static/{name}")
    async def static(request: Request, name: str) -> Response:
        def found() -> Response:
            if name not in STATIC:
                raise NotThereError(f"there is no file {name!r}.")
            folder = TEMPLATES if name == "style.css" else HERE / "static"
            return Response((folder / name).read_bytes(), media_type=STATIC[name])

        return await shown(request, found)

    @app.post("/enter")
    async def enter(request: Request) -> Response:
        form = parse_qs((await request.body())[:4096].decode("utf-8", "replace"))
        if not token or not guard.fits((form.get("token") or [""])[0]):
            await asyncio.sleep(0.5)
            page = Page("A token, please", "enter.html.j2", {"wrong": True})
            return render_locked(page, Ask(store, keep, "/", {}))
        cookie = f"{guard.cookie}={guard.secret}; Path=/; HttpOnly; SameSite=Strict"
        return Response(status_code=303, headers={"location": "/", "set-cookie": cookie})

    @app.get("/{name}")
    async def page(request: Request, name: str) -> Response:
        head, _, ending = name.partition(".")
        if f"/{head}" not in PAGES or ending not in ("", "json", "csv", "svg"):
            return await shown(
                request, lambda: failed(request, NotThereError(f"there is no page /{name}.", "The menu lists them."))
            )
        return await shown(request, lambda: answer(request, head, ending))

    @app.exception_handler(HTTPException)
    async def odd(request: Request, error: HTTPException) -> Response:
        wrong = (
            NotThereError(f"there is no page {request.url.path}.", "The menu lists them.")
            if error.status_code == 404
            else error
        )
        return await shown(request, lambda: failed(request, wrong))

    app.add_middleware(_Guarded, guard=guard)
    app.state.store = store
    app.state.warm = lambda: papers.front(Ask(store, keep, "/", {}))  # counts the pool, begins to judge the claims
    return app


class _Guarded:
    """The guard in the place of a middleware: it was made before the application was complete."""

    def __init__(self, app: Any, guard: Guard) -> None:
        guard.app = app
        self.guard = guard

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.guard(scope, receive, send)


def status_of(error: Exception) -> int:
    """404 for what is not here, 400 for what was asked wrongly, 503 where the pool cannot be read."""
    if isinstance(error, HTTPException):
        return error.status_code
    kinds: tuple[tuple[type[Exception], int], ...] = ((NotThereError, 404), (InputError, 400), (MissingError, 503))
    return next((status for kind, status in kinds if isinstance(error, kind)), 500)


def as_data(page: Page, ask: Ask, ending: str) -> Response:
    """The numbers behind a page: all tables as JSON, one as CSV, or one of its drawings as SVG."""
    wanted = ask.one("table") or next(iter(page.tables), "")
    if ending == "svg":
        drawn = ask.one("chart") or next(iter(page.drawings), "")
        if drawn not in page.drawings:
            raise NotThereError("this page has no such drawing.", f"It has {', '.join(page.drawings) or 'none'}.")
        body, kind = standalone(str(page.drawings[drawn])), "image/svg+xml"
    elif ending == "csv":
        if wanted not in page.tables:
            raise NotThereError(f"this page has no table {wanted!r}.", f"It has {', '.join(page.tables)}.")
        body, kind = as_csv(page.tables[wanted]), "text/csv; charset=utf-8"
    else:
        body = json.dumps({"title": page.title, "address": ask.url(), **plain(page.tables)}, ensure_ascii=False)
        kind = "application/json"
    name = quote(f"steelyard-{ask.path.strip('/') or 'papers'}.{ending}")
    data = body.encode("utf-8", "backslashreplace")
    return Response(data, 200, {"content-disposition": f"inline; filename*=UTF-8''{name}"}, kind)


def as_csv(rows: Iterable[Any]) -> str:
    """Rows as CSV; text that a spreadsheet would take for a formula gets an apostrophe in front."""
    listed = list(rows)
    out = io.StringIO()
    names = list(dict.fromkeys(k for row in listed for k in row))
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(map(_tame, names))
    for row in listed:
        writer.writerow(_tame(row.get(n, "")) for n in names)
    return out.getvalue()


def _tame(value: Any) -> Any:
    if isinstance(value, float) and value != value:
        return ""
    if isinstance(value, dict | list | tuple):
        value = json.dumps(plain(value), ensure_ascii=False)
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
