"""Serve the dbt docs from S3 in the Airflow UI, for logged-in users only.

Airflow loads this module in each of its processes, so heavy imports wait until
the first request.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow.plugins_manager import AirflowPlugin

if TYPE_CHECKING:
    from botocore.client import BaseClient
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

log = logging.getLogger(__name__)

PREFIX = "/dbt-docs"
CONNECTION = "wandle_s3"
POINTER_SECONDS = 10

# One file holds scripts, styles and data: it may load and send nothing, and only Airflow may
# frame it. AngularJS compiles its templates with eval.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
        "img-src data:; font-src data:; connect-src 'none'; form-action 'none'; base-uri 'none'; "
        "frame-ancestors 'self'"
    ),
    "X-Frame-Options": "SAMEORIGIN",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "private, no-cache",
    "Vary": "Accept-Encoding, Authorization, Cookie",
}

MESSAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title></head>
<body style="font-family: sans-serif; max-width: 40em; margin: 4em auto; line-height: 1.5">
<h1>{title}</h1>
<p>{text}</p>
</body>
</html>
"""


@dataclass(frozen=True)
class Page:
    """A published version of the docs, ready to send."""

    name: str
    body: bytes
    zipped: bytes


class Site:
    """The current version, cached in memory; checks S3 for a newer one every `POINTER_SECONDS`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._page: Page | None = None
        self._looked_at = float("-inf")

    def page(self) -> Page:
        """The current page; the cached one while S3 is unavailable. Raises if there is none."""
        with self._lock:
            if self._page is None or time.monotonic() - self._looked_at > POINTER_SECONDS:
                try:
                    self._page = self._newest()
                except Exception:
                    if self._page is None:
                        raise
                    log.warning(
                        "dbt docs: S3 is unavailable, serving the cached page", exc_info=True
                    )
                self._looked_at = time.monotonic()
            return self._page

    def _newest(self) -> Page:
        import gzip

        from include.transform import docs

        s3, bucket = bucket_of_docs()
        name = docs.current(s3, bucket)
        if self._page is not None and self._page.name == name:
            return self._page
        body = docs.read(s3, bucket, name)
        return Page(name, body, gzip.compress(body, 6))


def bucket_of_docs() -> tuple[BaseClient, str]:
    """S3, with the rights of these pages, and the bucket that the connection names."""
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook
    from botocore.config import Config

    from include.jobs.lake import Lake

    timeouts = Config(connect_timeout=5, read_timeout=20, retries={"total_max_attempts": 2})
    hook = S3Hook(CONNECTION, config=timeouts)
    bucket = hook.service_config["bucket_name"]
    lake = Lake(hook.conn, bucket, hook.get_session()).as_job("portal")
    return lake.s3, lake.bucket


class Docs:
    """The ASGI app below the prefix. Every path returns 401 without a login."""

    def __init__(self) -> None:
        self._site = Site()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif scope["type"] == "http":
            from starlette.requests import Request

            request = Request(scope, receive)
            response = await refusal(request, PREFIX, "the dbt docs") or await self._answer(request)
            await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        from starlette.concurrency import run_in_threadpool

        from include.transform.docs import NotPublished

        path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
        if path not in ("", "/"):
            link = f'<a href="{base_path()}{PREFIX}/">one page</a>'
            return message(404, "Page not found", f"The docs are on {link}.")
        if request.method not in ("GET", "HEAD"):
            return message(405, "Method not allowed", "This page is read-only.")
        try:
            page = await run_in_threadpool(self._site.page)
        except NotPublished:
            return message(
                404,
                "No dbt docs yet",
                "The DAG <code>transform</code> publishes them after the first load. Trigger it, "
                "or run <code>wandle transform</code>.",
            )
        except Exception:
            log.exception("dbt docs: cannot read from S3")
            return message(
                503,
                "dbt docs unavailable",
                "Reading from S3 failed. See the API server's log, and check the Airflow "
                f"connection <code>{CONNECTION}</code>.",
            )
        return _page(request, page)


async def refusal(request: Request, prefix: str, what: str) -> Response | None:
    """The response to an unauthorized request; None if the user may view plugins.

    It offers a login that leads to `what`, the pages below `prefix`.
    """
    from airflow.api_fastapi.auth.managers.models.resource_details import AccessView
    from airflow.api_fastapi.core_api.security import (
        bearer_scheme,
        get_user,
        requires_access_view,
    )
    from fastapi import HTTPException
    from starlette.concurrency import run_in_threadpool

    try:
        user = await get_user(request, None, await bearer_scheme(request))
    except HTTPException:
        return _login(prefix, what)
    try:
        await run_in_threadpool(requires_access_view(AccessView.PLUGINS), request, user)
    except HTTPException:
        return message(403, "Access denied", "Ask an administrator for permission to view plugins.")
    return None


def base_path() -> str:
    """The base path of Airflow; empty if it is served at the root."""
    from airflow.api_fastapi.app import get_cookie_path

    return get_cookie_path().rstrip("/")


def _login(prefix: str, what: str) -> Response:
    from html import escape
    from urllib.parse import urlencode

    base = base_path()
    to = f"{base}/api/v2/auth/login?{urlencode({'next': f'{base}{prefix}/'})}"
    text = f'You need to log in to see {what}. <a href="{escape(to)}">Log in</a>.'
    return message(401, "Please log in", text, {"WWW-Authenticate": "Bearer"})


def _page(request: Request, page: Page) -> Response:
    from starlette.responses import Response

    # Weak, because the same page is sent plain or compressed.
    tag = f'W/"{page.name}"'
    headers = {**HEADERS, "ETag": tag}
    known = [item.strip() for item in request.headers.get("if-none-match", "").split(",")]
    if tag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    body = page.body
    if "gzip" in request.headers.get("accept-encoding", ""):
        body = page.zipped
        headers["Content-Encoding"] = "gzip"
    if request.method == "HEAD":
        headers["Content-Length"] = str(len(body))
        body = b""
    return Response(body, media_type="text/html", headers=headers)


def message(status: int, title: str, text: str, more: dict[str, str] | None = None) -> Response:
    """A page that says one thing, in HTML."""
    from starlette.responses import HTMLResponse

    headers = {**HEADERS, "Cache-Control": "no-store", **(more or {})}
    return HTMLResponse(MESSAGE.format(title=title, text=text), status, headers)


class WithSlash:
    """Redirects `/dbt-docs` to `/dbt-docs/`, which the mount matches."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Redirect that path; pass on all others."""
        if scope["type"] == "http" and scope["path"].endswith(PREFIX):
            from starlette.responses import RedirectResponse

            if scope["path"].removeprefix(scope.get("root_path", "")) == PREFIX:
                await RedirectResponse(f"{PREFIX[1:]}/")(scope, receive, send)
                return
        await self._app(scope, receive, send)


class DocsSitePlugin(AirflowPlugin):
    """Mounts the site and adds it to the menu."""

    name = "dbt_docs"
    fastapi_apps: list[Any] = [  # noqa: RUF012
        {"app": Docs(), "url_prefix": PREFIX, "name": "dbt docs"}
    ]
    fastapi_root_middlewares: list[Any] = [  # noqa: RUF012
        {"middleware": WithSlash, "name": "dbt docs: slash"}
    ]
    external_views: list[Any] = [  # noqa: RUF012
        {
            "name": "dbt docs",
            "href": f"{PREFIX[1:]}/",
            "url_route": PREFIX[1:],
            "destination": "nav",
            "nav_top_level": True,
        }
    ]
