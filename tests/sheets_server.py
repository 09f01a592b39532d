"""A stand-in for Google: the token endpoint of a service account, and the Sheets API.

It checks signatures, keeps cells as Google does (text, number, boolean or formula), makes all
changes of a request or none, and enforces the limits and rules that `wandle sheets` relies on.
"""

from __future__ import annotations

import copy
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

SCOPE = "https://www.googleapis.com/auth/spreadsheets"
EMAIL = "wandle@council-data.iam.gserviceaccount.com"
SPREADSHEET = "1wandleTestSpreadsheet_0123456789abcdef"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
MOST_CELLS = 10_000_000
MOST_CHARACTERS = 50_000

_PLACE = re.compile(r"'((?:[^']|'')+)'!([A-Z]+)(\d+)")


class Refused(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class Tab:
    """A tab of the spreadsheet; `cells` are by row and column, from 0."""

    number: int
    title: str
    rows: int = 1000
    columns: int = 26
    frozen: int = 0
    hidden: bool = False
    cells: dict[tuple[int, int], dict[str, Any]] = field(default_factory=dict)
    formats: dict[tuple[int, int], dict[str, Any]] = field(default_factory=dict)
    marks: dict[str, str] = field(default_factory=dict)

    def values(self) -> list[list[Any]]:
        """What a person sees, without the empty cells at the ends; a formula as its text."""
        if not self.cells:
            return []
        height = max(row for row, _ in self.cells) + 1
        width = max(column for _, column in self.cells) + 1
        return [
            [
                next(iter(self.cells.get((row, column), {}).values()), None)
                for column in range(width)
            ]
            for row in range(height)
        ]

    @property
    def formulas(self) -> int:
        """The number of cells that Google would compute."""
        return sum("formulaValue" in cell for cell in self.cells.values())


def new_key() -> Any:
    """A private key."""
    return rsa.generate_private_key(65537, 2048)


@cache
def _first_key() -> Any:
    """The same for all, since making one takes long."""
    return new_key()


@dataclass
class Google:
    """The state of the stand-in."""

    title: str = "Council data"
    tabs: list[Tab] = field(default_factory=lambda: [Tab(0, "Sheet1")])
    is_shared: bool = True
    # Answers to the next requests of a kind instead of the proper ones: (status, done anyway).
    faults: dict[str, list[tuple[int, bool]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    # Called after each request.
    watch: Callable[[], None] = lambda: None
    tokens: set[str] = field(default_factory=set)
    private_key: Any = field(default_factory=lambda: _first_key())

    @property
    def key(self) -> dict[str, str]:
        """The JSON file of the service account's key."""
        pem = self.private_key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return {
            "type": "service_account",
            "project_id": "council-data",
            "private_key_id": "1",
            "private_key": pem.decode(),
            "client_email": EMAIL,
            "token_uri": "https://oauth2.googleapis.com/token",
            "universe_domain": "googleapis.com",
        }

    def tab(self, title: str) -> Tab:
        """The tab of a title."""
        return next(tab for tab in self.tabs if tab.title == title)

    @property
    def app(self) -> Starlette:
        """The HTTP of it."""
        of_spreadsheet = "/v4/spreadsheets/{id}"
        return Starlette(
            routes=[
                Route("/token", self._token, methods=["POST"]),
                Route(f"{of_spreadsheet}/values:batchUpdate", self._put_values, methods=["POST"]),
                Route("/v4/spreadsheets/{id}:batchUpdate", self._change, methods=["POST"]),
                Route(of_spreadsheet, self._get, methods=["GET"]),
            ]
        )

    async def _token(self, request: Request) -> Response:
        form = dict(item.split("=", 1) for item in (await request.body()).decode().split("&"))
        self.asked.append("token")
        try:
            claims = jwt.decode(
                form["assertion"],
                self.private_key.public_key(),
                algorithms=["RS256"],
                audience=self.key["token_uri"],
                options={"require": ["exp", "iat", "iss", "aud"]},
            )
            assert claims["iss"] == EMAIL
            assert claims["scope"] == SCOPE
            assert form["grant_type"].replace("%3A", ":") == GRANT
            assert claims["exp"] - time.time() <= 3600
        except (jwt.InvalidTokenError, AssertionError, KeyError) as error:
            said = {"error": "invalid_grant", "error_description": f"Invalid JWT: {error!r}"}
            return JSONResponse(said, 400)
        token = f"ya29.token-{len(self.tokens)}-of-the-stand-in"
        self.tokens.add(token)
        return JSONResponse({"access_token": token, "expires_in": 3599, "token_type": "Bearer"})

    async def _answer(self, request: Request, kind: str, act: Callable[[Any], Any]) -> Response:
        self.asked.append(kind)
        body = json.loads(await request.body() or b"null")
        fault = self.faults.get(kind, [])
        status, done_anyway = fault.pop(0) if fault else (0, True)
        try:
            if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self.tokens:
                raise Refused(401, "Request had invalid authentication credentials.")
            if request.path_params["id"] != SPREADSHEET:
                raise Refused(404, "Requested entity was not found.")
            if not self.is_shared:
                raise Refused(403, "The caller does not have permission")
            found = act(body) if done_anyway else {}
            if status:
                raise Refused(status, "The service is currently unavailable.")
        except Refused as error:
            said = {"code": error.status, "message": str(error), "status": "ERROR"}
            return JSONResponse({"error": said}, error.status)
        finally:
            self.watch()
        return JSONResponse(found)

    async def _get(self, request: Request) -> Response:
        return await self._answer(request, "get", lambda body: self._described())

    async def _put_values(self, request: Request) -> Response:
        return await self._answer(request, "values", self._written)

    async def _change(self, request: Request) -> Response:
        return await self._answer(request, "change", self._changed)

    def _described(self) -> dict[str, Any]:
        return {
            "properties": {"title": self.title},
            "sheets": [
                {
                    "properties": {
                        "sheetId": tab.number,
                        "title": tab.title,
                        "gridProperties": {"rowCount": tab.rows, "columnCount": tab.columns},
                    },
                    "developerMetadata": [
                        {"metadataKey": key, "metadataValue": value}
                        for key, value in tab.marks.items()
                    ],
                }
                for tab in self.tabs
            ],
        }

    def _written(self, body: dict[str, Any]) -> dict[str, Any]:
        is_raw = {"RAW": True, "USER_ENTERED": False}[body["valueInputOption"]]
        for data in body["data"]:
            place = _PLACE.fullmatch(data["range"])
            if not place:
                raise Refused(400, f"Unable to parse range: {data['range']}")
            title = place[1].replace("''", "'")
            tab = next((tab for tab in self.tabs if tab.title == title), None)
            if tab is None:
                raise Refused(400, f"Unable to parse range: {data['range']}")
            first = int(place[3]) - 1
            for row, values in enumerate(data["values"], start=first):
                for column, value in enumerate(values):
                    if row >= tab.rows or column >= tab.columns:
                        raise Refused(400, "Range exceeds grid limits.")
                    self._enter(tab, (row, column), value, is_raw)
        return {"spreadsheetId": SPREADSHEET}

    @staticmethod
    def _enter(tab: Tab, place: tuple[int, int], value: Any, is_raw: bool) -> None:
        if value is None:
            return
        if isinstance(value, str) and len(value) > MOST_CHARACTERS:
            raise Refused(400, "Your input contains more than the maximum of 50000 characters.")
        if isinstance(value, bool):
            tab.cells[place] = {"boolValue": value}
        elif isinstance(value, int | float):
            tab.cells[place] = {"numberValue": value}
        elif isinstance(value, str):
            kind = "formulaValue" if value[:1] in "=+" and value and not is_raw else "stringValue"
            tab.cells[place] = {kind: value}
            if not value:
                tab.cells.pop(place)
        else:
            raise Refused(400, "Invalid values: list_value or struct_value")

    def _changed(self, body: dict[str, Any]) -> dict[str, Any]:
        """All changes or none."""
        before = copy.deepcopy(self.tabs)
        try:
            for change in body["requests"]:
                ((name, given),) = change.items()
                getattr(self, f"_do_{name}")(given)
            if sum(tab.rows * tab.columns for tab in self.tabs) > MOST_CELLS:
                raise Refused(400, "This action would increase the number of cells above the limit")
            titles = [tab.title.lower() for tab in self.tabs]
            if len(set(titles)) < len(titles):
                raise Refused(400, "A sheet with this name already exists.")
            if all(tab.hidden for tab in self.tabs):
                raise Refused(400, "You can't remove all the visible sheets in a document.")
        except Refused:
            self.tabs = before
            raise
        return {"spreadsheetId": SPREADSHEET, "replies": []}

    def _numbered(self, number: int) -> Tab:
        for tab in self.tabs:
            if tab.number == number:
                return tab
        raise Refused(400, f"No grid with id: {number}")

    def _do_addSheet(self, given: Any) -> None:
        new = given["properties"]
        if any(tab.number == new["sheetId"] for tab in self.tabs):
            raise Refused(400, "A sheet with this id already exists.")
        grid = new["gridProperties"]
        self.tabs.append(
            Tab(new["sheetId"], new["title"], grid["rowCount"], grid["columnCount"],
                hidden=new["hidden"])
        )  # fmt: skip

    def _do_deleteSheet(self, given: Any) -> None:
        self.tabs.remove(self._numbered(given["sheetId"]))

    def _do_updateSheetProperties(self, given: Any) -> None:
        new, fields = given["properties"], given["fields"]
        tab = self._numbered(new["sheetId"])
        grid = new.get("gridProperties", {})
        if "title" in fields:
            tab.title, tab.hidden = new["title"], new["hidden"]
        if "rowCount" in fields:
            tab.rows, tab.columns = grid["rowCount"], grid["columnCount"]
        tab.frozen = grid["frozenRowCount"]
        if tab.frozen >= tab.rows:
            raise Refused(400, "You can't freeze all visible rows on the sheet.")

    def _do_updateCells(self, given: Any) -> None:
        assert given == {
            "range": {"sheetId": given["range"]["sheetId"]},
            "fields": "userEnteredValue",
        }
        self._numbered(given["range"]["sheetId"]).cells.clear()

    def _do_copyPaste(self, given: Any) -> None:
        assert given["pasteType"] == "PASTE_NORMAL"
        source = self._numbered(given["source"]["sheetId"])
        target = self._numbered(given["destination"]["sheetId"])
        if given["destination"]["endRowIndex"] > target.rows:
            raise Refused(400, "Range exceeds grid limits.")
        for row, column in _places(given["source"]):
            for where in ("cells", "formats"):
                getattr(target, where).pop((row, column), None)
                if (row, column) in getattr(source, where):
                    found = getattr(source, where)[row, column]
                    getattr(target, where)[row, column] = dict(found)

    def _do_repeatCell(self, given: Any) -> None:
        tab = self._numbered(given["range"]["sheetId"])
        for place in _places(given["range"]):
            tab.formats.setdefault(place, {}).update(given["cell"]["userEnteredFormat"])

    def _do_createDeveloperMetadata(self, given: Any) -> None:
        mark = given["developerMetadata"]
        tab = self._numbered(mark["location"]["sheetId"])
        assert mark["metadataKey"] not in tab.marks
        tab.marks[mark["metadataKey"]] = mark["metadataValue"]

    def _do_deleteDeveloperMetadata(self, given: Any) -> None:
        lookup = given["dataFilter"]["developerMetadataLookup"]
        tab = self._numbered(lookup["metadataLocation"]["sheetId"])
        del tab.marks[lookup["metadataKey"]]


def _places(of: dict[str, int]) -> list[tuple[int, int]]:
    return [
        (row, column)
        for row in range(of["startRowIndex"], of["endRowIndex"])
        for column in range(of["startColumnIndex"], of["endColumnIndex"])
    ]
