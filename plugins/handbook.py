"""Serve the site of the documentation in the Airflow UI, to logged-in users only.

`make docs` builds it. It is in the menu if it was there when Airflow started.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.plugins_manager import AirflowPlugin

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

PREFIX = "/handbook"
FOLDER = Path(__file__).parents[1] / ".docs-site"

_SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)
_HEADERS = {
    "X-Frame-Options": "SAMEORIGIN",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "private, no-cache",
    "Vary": "Authorization, Cookie",
}


@lru_cache(maxsize=4)
def headers(folder: Path) -> dict[str, str]:
    """The headers of all its pages: they run the scripts that were built, and no other ones.

    The search gives what it draws styles of its own.
    """
    scripts = {
        base64.b64encode(hashlib.sha256(script).digest()).decode()
        for page in folder.rglob("*.html")
        for script in _SCRIPT.findall(page.read_bytes())
    }
    hashes = " ".join(f"'sha256-{script}'" for script in sorted(scripts))
    policy = (
        f"default-src 'none'; script-src 'self' {hashes}; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; font-src 'self'; connect-src 'self'; worker-src 'self'; "
        "form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
    )
    return {"Content-Security-Policy": policy, **_HEADERS}


class Handbook:
    """The ASGI app below the prefix: the files of a folder. Returns 401 without a login."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        from plugins.docs_site import refusal

        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif scope["type"] == "http":
            from starlette.requests import Request

            refused = await refusal(Request(scope, receive), PREFIX, "the handbook")
            await (refused or self._files())(scope, receive, send)

    def _files(self) -> ASGIApp:
        from starlette.staticfiles import StaticFiles

        from plugins.docs_site import message as page

        if not self._folder.is_dir():
            return page(404, "Not built yet", "Run <code>make docs</code> in the checkout.")
        files = StaticFiles(directory=self._folder, html=True)
        kept = headers(self._folder)

        async def with_headers(scope: Scope, receive: Receive, send: Send) -> None:
            async def send_with(message: Any) -> None:
                if message["type"] == "http.response.start":
                    more = [(key.lower().encode(), value.encode()) for key, value in kept.items()]
                    message["headers"] = [*message["headers"], *more]
                await send(message)

            await files(scope, receive, send_with)

        return with_headers


class HandbookSlash:
    """Redirects `/handbook` to `/handbook/`, which the mount matches."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Redirect that path; pass on all others."""
        path = scope.get("path", "").removeprefix(scope.get("root_path", ""))
        if scope["type"] == "http" and path == PREFIX:
            from starlette.responses import RedirectResponse

            await RedirectResponse(f"{PREFIX[1:]}/")(scope, receive, send)
        else:
            await self._app(scope, receive, send)


class HandbookPlugin(AirflowPlugin):
    """Mounts the site, and adds it to the menu if it was built."""

    name = "handbook"
    fastapi_apps: list[Any] = [  # noqa: RUF012
        {"app": Handbook(), "url_prefix": PREFIX, "name": "handbook"}
    ]
    fastapi_root_middlewares: list[Any] = [  # noqa: RUF012
        {"middleware": HandbookSlash, "name": "handbook: slash"}
    ]
    external_views: list[Any] = [
        {
            "name": "Handbook",
            "href": f"{PREFIX[1:]}/",
            "url_route": PREFIX[1:],
            "destination": "nav",
            "nav_top_level": True,
        }
    ] * FOLDER.is_dir()
