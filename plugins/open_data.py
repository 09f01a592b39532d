"""Serve the published dashboard and open data from S3 in the Airflow UI, to logged-in users only.

Airflow loads this module in each of its processes, so heavy imports wait until
the first request.
"""

from __future__ import annotations

import logging
import threading
import time
from functools import cache
from typing import TYPE_CHECKING, Any

from airflow.plugins_manager import AirflowPlugin

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

    from include.publish.versions import Published

log = logging.getLogger(__name__)

CONNECTION = "wandle_s3"
POINTER_SECONDS = 10

# Scripts, styles, pictures and data come from the site itself, nothing from the page's text.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "font-src 'self'; connect-src 'none'; form-action 'none'; base-uri 'none'; "
        "frame-ancestors 'self'"
    ),
    "X-Frame-Options": "SAMEORIGIN",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "private, no-cache",
    "Vary": "Accept-Encoding, Authorization, Cookie",
}


@cache
def headers() -> dict[str, str]:
    """The headers of a page: its scripts may ask the read API, if there is one, and nobody else."""
    from include.settings import Settings

    asked = Settings.read().read_api or "'none'"
    policy = HEADERS["Content-Security-Policy"].replace(
        "connect-src 'none'", f"connect-src {asked}"
    )
    return {**HEADERS, "Content-Security-Policy": policy}


class Current:
    """The current version's description; checks S3 for another one every `POINTER_SECONDS`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._description: dict[str, Any] | None = None
        self._looked_at = float("-inf")

    def description(self) -> dict[str, Any]:
        """Its `version.json`; the cached one while S3 is unavailable. Raises if there is none."""
        with self._lock:
            too_old = time.monotonic() - self._looked_at > POINTER_SECONDS
            if self._description is None or too_old:
                try:
                    self._description = self._newest()
                except Exception:
                    if self._description is None:
                        raise
                    log.warning("open data: S3 is unavailable", exc_info=True)
                self._looked_at = time.monotonic()
            return self._description

    def forget(self) -> None:
        """Look again at the next request."""
        self._looked_at = float("-inf")

    def body(self, path: str) -> bytes:
        """A file of the current version."""
        return store().read(self.description()["version"], path)

    def _newest(self) -> dict[str, Any]:
        from include.publish.versions import NotPublished

        published = store()
        current = published.index().current
        if not current:
            raise NotPublished("open data: nothing has been published yet")
        if self._description is not None and self._description["version"] == current:
            return self._description
        return published.version(current)


CURRENT = Current()


def store() -> Published:
    """The published versions in the bucket that the connection names."""
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook
    from botocore.config import Config

    from include.jobs.lake import Lake
    from include.publish.versions import Published

    timeouts = Config(connect_timeout=5, read_timeout=20, retries={"total_max_attempts": 2})
    hook = S3Hook(CONNECTION, config=timeouts)
    bucket = hook.service_config["bucket_name"]
    lake = Lake(hook.conn, bucket, hook.get_session()).as_job("portal")
    return Published(lake.s3, lake.bucket)


class Files:
    """The ASGI app below a prefix: the files of one folder of the current version.

    Every path returns 401 without a login. Only paths that the version lists
    are looked up in S3.
    """

    def __init__(self, prefix: str, folder: str, what: str) -> None:
        self._prefix = prefix
        self._folder = folder
        self._what = what

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        from plugins.docs_site import refusal

        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif scope["type"] == "http":
            from starlette.requests import Request

            request = Request(scope, receive)
            refused = await refusal(request, self._prefix, self._what)
            response = refused or await self._answer(request)
            await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        from starlette.concurrency import run_in_threadpool

        from include.publish.versions import NotPublished
        from plugins.docs_site import message

        if request.method not in ("GET", "HEAD"):
            return message(405, "Method not allowed", "These pages are read-only.")
        try:
            return await run_in_threadpool(self._file, request)
        except NotPublished:
            CURRENT.forget()
            return message(
                404,
                "Nothing is published yet",
                "The DAG <code>transform</code> publishes after the first load. Trigger it, or run "
                "<code>wandle transform</code>.",
            )
        except Exception:
            log.exception("open data: cannot read from S3")
            return message(
                503,
                "Open data unavailable",
                "Reading from S3 failed. See the API server's log, and check the Airflow "
                f"connection <code>{CONNECTION}</code>.",
            )

    def _file(self, request: Request) -> Response:
        from starlette.responses import RedirectResponse, Response

        from plugins.docs_site import base_path, message

        path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
        path = path.removeprefix("/")
        description = CURRENT.description()
        if self._folder == "data" and not path:
            # The page of the dashboard that lists them.
            return RedirectResponse("../dashboard/data.html", headers=headers())
        name = f"{self._folder}/{path}{'index.html' if not path or path.endswith('/') else ''}"
        file = description["files"].get(name)
        if file is None:
            back = f'<a href="{base_path()}{self._prefix}/">{self._what}</a>'
            return message(404, "Page not found", f"See {back}.")
        # Weak, because the same file is sent plain or compressed.
        tag = f'W/"{file["sha256"]}"'
        sent = {**headers(), "ETag": tag}
        known = [item.strip() for item in request.headers.get("if-none-match", "").split(",")]
        if tag in known or "*" in known:
            return Response(status_code=304, headers=sent)
        sent["Content-Type"] = file["media_type"]
        if request.method == "HEAD":
            return Response(headers={**sent, "Content-Length": str(file["bytes"])})
        return Response(CURRENT.body(name), headers=sent)


class DashboardSlash:
    """Redirects `/dashboard` to `/dashboard/` and `/data` to `/data/`, which the mounts match."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Redirect these paths; pass on all others."""
        if scope["type"] == "http" and scope["path"].endswith(("/dashboard", "/data")):
            from starlette.responses import RedirectResponse

            path = scope["path"].removeprefix(scope.get("root_path", ""))
            if path in PREFIXES:
                await RedirectResponse(f"{path[1:]}/")(scope, receive, send)
                return
        await self._app(scope, receive, send)


PREFIXES = ("/dashboard", "/data")


class OpenDataPlugin(AirflowPlugin):
    """Mounts the dashboard and the data, and adds the dashboard to the menu."""

    name = "open_data"
    fastapi_apps: list[Any] = [  # noqa: RUF012
        {
            "app": Files("/dashboard", "site", "the dashboard"),
            "url_prefix": "/dashboard",
            "name": "dashboard",
        },
        {"app": Files("/data", "data", "the open data"), "url_prefix": "/data", "name": "data"},
    ]
    fastapi_root_middlewares: list[Any] = [  # noqa: RUF012
        {"middleware": DashboardSlash, "name": "dashboard: slash"}
    ]
    external_views: list[Any] = [  # noqa: RUF012
        {
            "name": "Dashboard",
            "href": "dashboard/",
            "url_route": "dashboard",
            "destination": "nav",
            "nav_top_level": True,
        }
    ]
