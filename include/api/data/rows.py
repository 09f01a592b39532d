"""A page of rows as JSON, and where the next one begins."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from urllib.parse import unquote_plus

import numpy as np
import orjson

from include.api.data.columns import Column
from include.api.data.dataset import Dataset, Places
from include.api.data.problems import Problem
from include.api.data.query import Rows

# A page of long rows has fewer of them.
MOST_BYTES = 4 << 20
# Of a content's hash, what a cursor carries.
_CONTENT = 10


def page_of(dataset: Dataset, asked: Rows, path: str, query: str) -> tuple[bytes, str]:
    """The page as JSON, and the address of the next one; empty on the last page.

    `path` and `query` are those of this page. Raises `Problem` for a cursor
    that is not of this query or these data.
    """
    start = _start(dataset, asked)
    order = dataset.in_order(asked.order)
    found: list[Places] = []
    count, following = 0, -1
    for begin, places in dataset.matching(asked.filters, order, start):
        wanted = asked.limit - count
        if len(places) > wanted:
            following = begin + int(places[wanted])
            places = places[:wanted]
        found.append(places + begin)
        count += len(places)
        if following >= 0:
            break
    places = np.concatenate(found) if found else np.empty(0, dtype=np.int64)
    columns = [dataset.columns[name] for name in asked.select]
    text = objects(columns, places if order is None else order[places])
    while len(text) > MOST_BYTES and len(places) > 1:
        half = len(places) // 2
        following, places = int(places[half]), places[:half]
        text = objects(columns, places if order is None else order[places])
    next_page = ""
    if following >= 0:
        next_page = f"{path}?{_with_cursor(query, _cursor(dataset, asked, following))}"
    return b'{"rows":[%s],"next":%s}\n' % (text, orjson.dumps(next_page or None)), next_page


def objects(columns: list[Column], rows: Places) -> bytes:
    """JSON objects of these rows, with commas between them."""
    if not len(rows):
        return b""
    parts = [
        list(map(column.fragments.__getitem__, column.codes[rows].tolist())) for column in columns
    ]
    return b"\n{" + b"},\n{".join(map(b",".join, zip(*parts, strict=True))) + b"}\n"


def _start(dataset: Dataset, asked: Rows) -> int:
    if not asked.after:
        return 0
    try:
        text = urlsafe_b64decode(asked.after + "=" * (-len(asked.after) % 4)).decode("ascii")
        content, fingerprint, place = text.split(".")
        start = int(place)
    except (binascii.Error, UnicodeError, ValueError):
        raise _no_cursor() from None
    if content != dataset.content[:_CONTENT]:
        raise Problem(
            410,
            "The data have changed since the first page. Start again without `after`, or download "
            "the file, which is always of one version.",
            parameter="after",
        )
    if fingerprint != asked.fingerprint or not 0 <= start < max(1, dataset.rows):
        raise _no_cursor()
    return start


def _no_cursor() -> Problem:
    return Problem(
        400,
        "The value of `after` is not a cursor of this query. Follow `next` as it is, or start "
        "again without `after`.",
        parameter="after",
    )


def _cursor(dataset: Dataset, asked: Rows, place: int) -> str:
    text = f"{dataset.content[:_CONTENT]}.{asked.fingerprint}.{place}"
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _with_cursor(query: str, cursor: str) -> str:
    others = [
        part
        for part in query.split("&")
        if part and unquote_plus(part.partition("=")[0]) != "after"
    ]
    return "&".join([*others, f"after={cursor}"])
