"""Requests to the Google Sheets API as a service account, with its errors as ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import requests
from google.auth.exceptions import GoogleAuthError, RefreshError
from google.oauth2.service_account import Credentials
from gspread.exceptions import APIError
from gspread.http_client import HTTPClient
from gspread.urls import SPREADSHEETS_API_V4_BASE_URL
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt

from include.errors import PermanentError, ServiceUnavailable
from include.redact import keep_secret

API = SPREADSHEETS_API_V4_BASE_URL
TOKEN_URL = "https://oauth2.googleapis.com/token"  # noqa: S105, an address
SCOPE = "https://www.googleapis.com/auth/spreadsheets"

CONNECT_SECONDS, READ_SECONDS = 10, 190
ATTEMPTS = 8
# Google counts requests by the minute.
_LONGEST_PAUSE_SECONDS = 64.0
_TOO_MANY = 429
_MOST_QUOTED = 300


class Uncertain(ServiceUnavailable):
    """A change may or may not have been made; what was there has to be looked at again."""


class Sheets(HTTPClient):
    """One service account at the Sheets API.

    Reads, and writes that can be repeated, are retried; a change of the
    spreadsheet's tabs only if Google refused it as one too many, else it
    raises `Uncertain`. Other failures raise `PermanentError`.
    """

    def __init__(self, key: Mapping[str, Any], api: str = API, token_url: str = TOKEN_URL) -> None:
        self.email = str(key["client_email"])
        self._api = api
        super().__init__(_credentials(key, token_url))
        self.session.headers["User-Agent"] = "wandle (council data pipeline)"
        self.set_timeout((CONNECT_SECONDS, READ_SECONDS))

    def tabs(self, spreadsheet: str) -> dict[str, Any]:
        """The spreadsheet's title, and its tabs: their properties and developer metadata."""
        fields = (
            "properties.title,sheets(properties(sheetId,title,gridProperties(rowCount,columnCount))"
            ",developerMetadata(metadataKey,metadataValue))"
        )
        found: dict[str, Any] = self.spreadsheets_get(spreadsheet, {"fields": fields})
        return found

    def put_values(self, spreadsheet: str, place: str, values: list[Any]) -> None:
        """Write values as they are, from the cell `place` on; no text becomes a formula."""
        body = {"valueInputOption": "RAW", "data": [{"range": place, "values": values}]}
        self.values_batch_update(spreadsheet, body)

    def change(self, spreadsheet: str, changes: list[dict[str, Any]]) -> None:
        """Make all of these changes, or none."""
        self.batch_update(spreadsheet, {"requests": changes})

    def request(self, method: str, endpoint: str, **parameters: Any) -> requests.Response:  # type: ignore[override]
        """One request to the API, retried where that is safe."""
        changes = endpoint.endswith(":batchUpdate") and "/values:" not in endpoint
        url = self._api + endpoint.removeprefix(SPREADSHEETS_API_V4_BASE_URL)
        send = super().request
        retrying = Retrying(
            stop=stop_after_attempt(ATTEMPTS),
            wait=_pause,
            retry=retry_if_exception(lambda error: _may_retry(error, changes)),
            reraise=True,
        )
        try:
            return retrying(send, method, url, **parameters)
        except (APIError, GoogleAuthError, requests.RequestException) as error:
            if token := getattr(self.auth, "token", None):
                keep_secret(token, "of the token")
            raise self._as_ours(error, changes) from None

    def _as_ours(self, error: Exception, changes: bool) -> Exception:
        if isinstance(error, RefreshError) and not error.retryable:
            return PermanentError(
                f"sheets: Google refuses the key of {self.email}: {_quoted(error.args[0])}. Has it "
                "been deleted, or is this machine's clock wrong? Make a new key: docs/serving.md."
            )
        if not isinstance(error, APIError):
            kind = Uncertain if changes else ServiceUnavailable
            return kind(f"sheets: Google does not answer: {_quoted(error)}. Try again later.")
        status, said = error.response.status_code, _quoted(error.error.get("message"))
        if status == _TOO_MANY:
            return ServiceUnavailable(
                f"sheets: Google's quota of requests is used up: {said}. Try again later."
            )
        if status >= 500:
            kind = Uncertain if changes else ServiceUnavailable
            return kind(f"sheets: HTTP {status} from Google: {said}. Try again later.")
        if status in (403, 404):
            return PermanentError(
                f"sheets: HTTP {status} from Google: {said}. Share the spreadsheet with "
                f"{self.email} as an editor, check its address, and enable the Google Sheets API "
                "in the account's project: docs/serving.md."
            )
        return PermanentError(
            f"sheets: HTTP {status} from Google: {said}. Retrying will not help. If somebody else "
            "wrote to the spreadsheet at the same time, run this again."
        )


def _credentials(key: Mapping[str, Any], token_url: str) -> Credentials:
    try:
        info = {**key, "token_uri": token_url}
        return Credentials.from_service_account_info(info, scopes=[SCOPE])  # type: ignore[no-untyped-call,no-any-return]
    except (ValueError, KeyError, TypeError):
        # Without the reason, which may quote the key.
        raise PermanentError(
            "sheets: the private key of the service account cannot be read. Set it again, from the "
            "JSON file as Google made it: docs/serving.md."
        ) from None


def _may_retry(error: BaseException, changes: bool) -> bool:
    if isinstance(error, APIError):
        status = error.response.status_code
        return status == _TOO_MANY or (status >= 500 and not changes)
    if isinstance(error, GoogleAuthError):
        return bool(error.retryable)
    return isinstance(error, requests.RequestException) and not changes


def _pause(state: RetryCallState) -> float:
    """What the server asks for, else twice as long as before."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.response.headers.get("Retry-After", "") if isinstance(error, APIError) else ""
    seconds = float(asked) if asked.isdigit() else 2.0 ** (state.attempt_number - 1)
    return min(seconds, _LONGEST_PAUSE_SECONDS)


def _quoted(what: object) -> str:
    text = " ".join(str(what).split()).rstrip(".")
    return text if len(text) <= _MOST_QUOTED else f"{text[:_MOST_QUOTED]}…"
