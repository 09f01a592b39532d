"""What leads readers of a web server in front of the bucket to the current version.

A version has addresses of its own (`/<version>/site/...`), which never change. These files are at
fixed addresses instead, and each is replaced in one request:

- `index.html` leads to the current version's dashboard,
- `current.json` names the current version, for programs,
- `404.html`, for an address without a file, leads on to the dashboard; its script `current.js`
  to the same page of the current version, if the address was of another one.
"""

from __future__ import annotations

import json

CURRENT = "current.json"

_PAGE = """\
<!doctype html>
<html lang="en-GB">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'self'; \
base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} - Wandle</title>
{head}
</head>
<body>
<main>
<h1>{title}</h1>
<p>{text}</p>
</main>
</body>
</html>
"""

_SCRIPT = """\
"use strict";
// The same page in the current version, if this address is of another version.
const parts = /^\\/([0-9a-f]{16})(\\/.+)$/.exec(location.pathname);
if (parts && parts[1] !== "VERSION") {
  location.replace("/VERSION" + parts[2] + location.hash);
}
"""


def front(version: str) -> dict[str, tuple[bytes, str]]:
    """Body and media type of each file, by its name, for the current version.

    `current.json` comes last, so that it is up to date only if all others are.
    """
    site = f"/{version}/site/index.html"
    index = _PAGE.format(
        title="Dashboard and open data",
        head=f'<meta http-equiv="refresh" content="0; url={site}">',
        text=f'<a href="{site}">The current version</a>.',
    )
    missing = _PAGE.format(
        title="Page not found",
        head='<script src="/current.js" defer></script>',
        text="There is no such page, or it was of a version that has been replaced. "
        '<a href="/">The current dashboard and open data</a>.',
    )
    current = {
        "version": version,
        "dashboard": site,
        "data": f"/{version}/data/",
        "catalogue": f"/{version}/data/catalog.jsonld",
    }
    html = "text/html; charset=utf-8"
    return {
        "index.html": (index.encode(), html),
        "404.html": (missing.encode(), html),
        "current.js": (
            _SCRIPT.replace("VERSION", version).encode(),
            "text/javascript; charset=utf-8",
        ),
        CURRENT: ((json.dumps(current, indent=1) + "\n").encode(), "application/json"),
    }
