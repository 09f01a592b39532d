"""API -> response body. Knows nothing of what happens to it."""

from __future__ import annotations

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

TIMEOUT_SECONDS = 30
TRIES = Retry(
    total=4, backoff_factor=1, status_forcelist=(429, 500, 502, 503, 504), raise_on_status=False
)


def fetch(url: str) -> bytes:
    """The body of the response. Raises `requests.RequestException` if there is no good one."""
    with requests.Session() as session:
        session.mount("https://", HTTPAdapter(max_retries=TRIES))
        session.mount("http://", HTTPAdapter(max_retries=TRIES))
        response = session.get(url, timeout=TIMEOUT_SECONDS)
        response.raise_for_status()
        return response.content
