"""Write a mart to a Google Sheet by a service account."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from gspread.exceptions import NoValidUrlKeyFound
from gspread.utils import extract_id_from_url

from include.errors import PermanentError, UnknownName
from include.jobs.logins import kept
from include.jobs.serving.tables import named
from include.redact import keep_secret
from include.settings import Settings
from include.sheets import client, tab
from include.sheets.cells import Cell, chunks, format_of, refuse_long
from include.warehouse.connection import connect
from include.warehouse.serving.mart import begin_snapshot, rows_in_order, size_of
from include.warehouse.serving.table import types_of

# What `wandle secrets set` calls it.
SECRET = "google_sheets"  # noqa: S105, a name

_ID = re.compile(r"[A-Za-z0-9_-]{20,100}")
# Google allows 100 characters; a few are for the name of the hidden tab.
_MOST_TITLE = 80
_ADDRESS = "https://docs.google.com/spreadsheets/d/"

# Told how many of how many rows have been sent.
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Written:
    """A mart in a tab of a spreadsheet."""

    mart: str
    rows: int
    columns: int
    spreadsheet: str
    title: str
    tab: str

    @property
    def address(self) -> str:
        """Where a browser finds the spreadsheet."""
        return f"{_ADDRESS}{self.spreadsheet}"


def write_mart(
    mart: str,
    *,
    to: str,
    settings: Settings,
    title: str = "",
    replace: bool = False,
    progress: Progress = lambda sent, total: None,
) -> Written:
    """Write a mart into the tab `title` of the spreadsheet `to`, an address or ID.

    Reads as `wandle_reader`. Raises `UnknownName` for what is not a mart,
    `PermanentError` for a personal column, limits of Sheets and what Google
    refuses, `ServiceUnavailable` where a retry may succeed. Until all rows are
    there, the tab has the old ones.
    """
    spreadsheet, title = _spreadsheet(to), title.strip()
    if len(title) > _MOST_TITLE or not title.isprintable():
        raise PermanentError(
            f"sheets: {title!r} cannot be the name of a tab: expected at most {_MOST_TITLE} "
            "printable characters. Choose another `--tab`."
        )
    found = named(mart, settings, "sheets")
    if found.schema != "marts":
        raise UnknownName(
            f"sheets: {found.full_name} is not a mart, and only marts leave the warehouse. Choose "
            "marts.<mart>."
        )
    dsn, key = found.dsn(settings), _key(settings)
    sheets = client.Sheets(key, client.API, client.TOKEN_URL)
    with connect(dsn) as connection:
        begin_snapshot(connection)
        with connection.cursor() as cursor:
            types = types_of(cursor, found.schema, found.name)
        if not types:
            raise UnknownName(
                f"sheets: {found.full_name} is not in the database yet. Build it: "
                "`wandle transform`."
            )
        if hidden := found.hidden(types):
            raise PermanentError(
                f"sheets: {found.full_name}: columns that are or may be personal: "
                f"{', '.join(hidden)}. Nothing was written. Take them out of the mart or, for a "
                "column that is not personal, say so in the mart's YAML file: `config: {meta: "
                "{personal: no}}`."
            )
        total, longest = size_of(connection, found.name, types)
        refuse_long(f"sheets: {found.full_name}", longest)
        shape = tab.Shape(found.full_name, total, list(types), list(map(format_of, types.values())))

        def cells() -> Iterator[list[list[Cell]]]:
            sent = -1  # The heading is not a row.
            rows = rows_in_order(connection, found.name, types)
            for chunk in chunks(f"sheets: {found.full_name}", shape.columns, rows):
                yield chunk
                sent += len(chunk)
                progress(sent, total)

        name = tab.write(sheets, spreadsheet, title or found.name, shape, cells, replace=replace)
    return Written(found.full_name, total, len(types), spreadsheet, name, title or found.name)


def _spreadsheet(to: str) -> str:
    try:
        found = extract_id_from_url(to) if "/" in to else to
    except NoValidUrlKeyFound:
        found = ""
    if not _ID.fullmatch(found):
        raise PermanentError(
            f"sheets: {to!r} is not a spreadsheet. Pass its address, {_ADDRESS}..., or the part "
            "after /d/."
        )
    return found


def _key(settings: Settings) -> dict[str, Any]:
    """The key of the service account. Raises `PermanentError`, without it."""
    found = kept(settings.home, SECRET)
    if found is None:
        raise PermanentError(
            f"sheets: the secret {SECRET!r} is not set in {settings.home}. Make a key for a "
            f"service account (docs/serving.md), then `wandle secrets set {SECRET} < key.json`."
        )
    keep_secret(found.password, SECRET)
    try:
        key = json.loads(found.password)
    except ValueError:
        key = None
    needed = ("client_email", "private_key")
    if not isinstance(key, dict) or not all(isinstance(key.get(name), str) for name in needed):
        raise PermanentError(
            f"sheets: the secret {SECRET!r} is not the key of a service account: expected the JSON "
            f"file that Google made, with {' and '.join(needed)}. Set it again: "
            f"`wandle secrets set {SECRET} < key.json`."
        )
    keep_secret(key["private_key"], SECRET)
    return key
