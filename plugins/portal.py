"""The portal: pages about what is loaded, late and quarantined, for logged-in users only.

Airflow loads this module in each of its processes, so heavy imports wait until
the first request.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any

from airflow.plugins_manager import AirflowPlugin

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

    from include.lineage.graph import Graph
    from include.portal.pages import Page

log = logging.getLogger(__name__)

PREFIX = "/portal"
CONNECTION, S3_CONNECTION = "wandle_portal", "wandle_s3"
LINEAGE_SECONDS = 30

# Its one script calls Airflow's own API, which decides who may start a run.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
    ),
    "X-Frame-Options": "SAMEORIGIN",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "private, no-store",
    "Vary": "Authorization, Cookie",
}


class Lineage:
    """The lineage that was published last; S3 is asked for a newer one every `LINEAGE_SECONDS`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._body = b""
        self._graph: Graph | None = None
        self._looked_at = float("-inf")

    def graph(self) -> Graph | None:
        """The graph; the cached one while S3 is unavailable. None before the first publication."""
        with self._lock:
            if time.monotonic() - self._looked_at > LINEAGE_SECONDS:
                try:
                    self._graph = self._newest()
                except Exception:
                    if self._graph is None:
                        raise
                    log.warning("portal: S3 is unavailable, serving the cached lineage")
                self._looked_at = time.monotonic()
            return self._graph

    def _newest(self) -> Graph | None:
        from include.lineage.stored import loaded
        from include.transform import docs
        from plugins.docs_site import bucket_of_docs

        try:
            body = docs.lineage(*bucket_of_docs())
        except docs.NotPublished:
            return None
        # Parsing the graph of 200 contracts takes a second, comparing its bytes none.
        if self._graph is None or body != self._body:
            self._graph, self._body = loaded(body), body
        return self._graph


class Portal:
    """The ASGI app below the prefix. Every path returns 401 without a login."""

    def __init__(self) -> None:
        self._lineage = Lineage()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif scope["type"] == "http":
            from starlette.requests import Request

            from plugins.docs_site import refusal

            request = Request(scope, receive)
            refused = await refusal(request, PREFIX, "the portal")
            response = refused or await self._answer(request)
            await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        from starlette.concurrency import run_in_threadpool

        from plugins.docs_site import message

        if request.method not in ("GET", "HEAD"):
            return message(405, "Method not allowed", "These pages are read-only.")
        user = await _user(request)
        try:
            page = await run_in_threadpool(self._page, request, user)
        except Exception:
            log.exception("portal: cannot render the page")
            return message(
                503,
                "Portal unavailable",
                "Reading the database or S3 failed. See the API server's log, and check the "
                f"Airflow connections <code>{CONNECTION}</code> and <code>{S3_CONNECTION}</code>.",
            )
        return _response(request, page)

    def _page(self, request: Request, user: Any) -> Page:
        from datetime import UTC, datetime

        from include.portal.site import Visit, answer
        from plugins.docs_site import base_path

        path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
        visit = Visit(
            path=path.removeprefix("/"),
            query=dict(request.query_params),
            base=base_path(),
            bucket=_bucket,
            may_run=lambda dag_id: _may_run(user, dag_id),
            now=datetime.now(UTC),
            lineage=self._lineage.graph,
        )
        return answer(visit, _dsn)


async def _user(request: Request) -> Any:
    """Who is logged in; the guard let them pass."""
    from airflow.api_fastapi.core_api.security import bearer_scheme, get_user

    return await get_user(request, None, await bearer_scheme(request))


def _may_run(user: Any, dag_id: str) -> bool:
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.models.resource_details import (
        DagAccessEntity,
        DagDetails,
    )

    return bool(
        get_auth_manager().is_authorized_dag(
            method="POST",
            access_entity=DagAccessEntity.RUN,
            details=DagDetails(id=dag_id),
            user=user,
        )
    )


def _dsn() -> str:
    from airflow.providers.postgres.hooks.postgres import PostgresHook

    return str(PostgresHook(CONNECTION, sqlalchemy_scheme="postgresql").get_uri())


def _bucket() -> str:
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    return str(S3Hook(S3_CONNECTION).service_config["bucket_name"])


def _response(request: Request, page: Page) -> Response:
    from starlette.responses import Response

    headers = {**HEADERS, "Content-Type": page.media_type}
    if request.method == "HEAD":
        return Response(b"", page.status, {**headers, "Content-Length": str(len(page.body))})
    return Response(page.body, page.status, headers)


class PortalSlash:
    """Redirects `/portal` to `/portal/`, which the mount matches."""

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


class PortalPlugin(AirflowPlugin):
    """Mounts the portal and adds it to the menu."""

    name = "portal"
    fastapi_apps: list[Any] = [  # noqa: RUF012
        {"app": Portal(), "url_prefix": PREFIX, "name": "portal"}
    ]
    fastapi_root_middlewares: list[Any] = [  # noqa: RUF012
        {"middleware": PortalSlash, "name": "portal: slash"}
    ]
    external_views: list[Any] = [  # noqa: RUF012
        {
            "name": "Portal",
            "href": f"{PREFIX[1:]}/",
            "url_route": PREFIX[1:],
            "destination": "nav",
            "nav_top_level": True,
        }
    ]
