"""Close Airflow's generated pages of its API, and their OpenAPI documents, to anonymous visitors.

Airflow itself shows them to everybody, and with them each route of the plugins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.plugins_manager import AirflowPlugin

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

CLOSED = frozenset(
    f"{prefix}/{page}"
    for prefix in ("", "/auth", "/execution")
    for page in ("docs", "docs/oauth2-redirect", "redoc", "openapi.json", "changelog")
)


class ApiPages:
    """Refuses these paths without a login; passes all others on."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = scope.get("path", "").removeprefix(scope.get("root_path", ""))
        if scope["type"] == "http" and path.rstrip("/") in CLOSED:
            from starlette.requests import Request

            from plugins.docs_site import refusal

            refused = await refusal(Request(scope, receive), path, "the API's documentation")
            if refused is not None:
                await refused(scope, receive, send)
                return
        await self._app(scope, receive, send)


class ApiPagesPlugin(AirflowPlugin):
    """Puts the check in front of Airflow's own pages."""

    name = "api_pages"
    fastapi_root_middlewares: list[Any] = [  # noqa: RUF012
        {"middleware": ApiPages, "name": "API pages: login"}
    ]
