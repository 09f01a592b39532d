"""Small pages of JSON, which are parsed several at once: the same rows, books and errors as of
each page alone."""

from __future__ import annotations

import codecs
import gzip
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.errors import LandingDamaged
from include.records.json.long_numbers import SHORT_BYTES
from include.warehouse import prepare as preparing
from include.warehouse.prepare import PageBody, prepare
from tests.samples import column, contract, page_body, pages_of, partition

COLUMNS = (
    column("id", "integer", required=True),
    column("kind", pattern="[a-z]+"),
    column("latitude", "numeric(9,6)", path="place.latitude"),
)
GAUGES = contract(*COLUMNS)


def read(pages: Iterable[PageBody], source: Any = GAUGES) -> list[Any]:
    """The rows and books of each batch, and the error that ended the load, if one did."""
    found: list[Any] = []
    try:
        for batch in prepare(source, partition(), "L1", pages):
            counts = batch.counts
            found += [batch.rows.to_pylist(), list(counts.quarantine), counts.content.hexdigest()]
            found += [counts.records, counts.loaded, counts.duplicates, counts.differences]
            found.append(repr(vars(counts.drift)))
    except LandingDamaged as error:
        found.append(str(error))
    return found


def then_unreadable(pages: Iterable[PageBody]) -> Iterator[PageBody]:
    """The pages, then an error instead of the next one."""
    yield from pages
    raise LandingDamaged("0009.json.gz: not readable as gzip")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'[{"id":1}', "0002.json.gz: it is not complete JSON"),
        (b'[{"id":1}]', "0002.json.gz: expected 2 records"),
        (b'{"error":"too many requests"}', "0002.json.gz: expected a list"),
        (b'[{"id":1},{"id":2}]', "0009.json.gz: not readable"),
    ],
)
def test_a_page_that_is_not_the_data_is_named_before_a_later_one_that_is_unreadable(body, said):
    first, _ = pages_of([[{"id": 3}], []])
    pages = [first, page_body(body, 2, name="0002.json.gz")]

    assert read(then_unreadable(pages))[-1].startswith(said)


# Names that are the same, written differently, or that look like values.
NAMES = ['"id"', '"id"', '"kind"', '"place"', '"new"', '"\\u0069d"', '""', '"\\\\"', '"a\\":b"']
PLAIN = ["null", "true", "7", '"7"', "-0", "1.10", "[]", "{}", '{"latitude":5.5}', '"\\u00e9"']
# Parsers lose something of these, read them in several ways, or not at all.
LOSSY = [
    *("0.12345678901234567", '{"latitude":5.12345678901234567}', "1e-300", "1e400", "NaN"),
    *("12345678901234567890123", '{"a":1,"a":1}', '{"a":1,"\\u0061":2}', '[[{"b":1,"b":2}]]'),
    *('"\\ud800"', '"\\":"', '"a :b"', '"\x80"', '"\xe9"', "[" * 300 + "]" * 300),
]
SPACES = st.sampled_from([*([""] * 8), " ", "\t", "\r\n", "  "])
# Enough that what is lost is looked for in all texts together.
FILLING = f'{{"id":9,"kind":"{"x" * SHORT_BYTES}"}}'


@st.composite
def members(draw: st.DrawFn) -> str:
    name = draw(st.sampled_from(NAMES))
    value = draw(st.sampled_from([*PLAIN * 3, *LOSSY]))
    return f"{draw(SPACES)}{name}{draw(SPACES)}:{draw(SPACES)}{value}"


RECORDS = st.sampled_from(
    [
        '{"id":1}',
        '{"id":2,"kind":"a"}',
        '{"id":3,"kind":"a","kind":"b"}',
        '{"id":4,"place":{"latitude":5.12345678901234567}}',
        "null",
        FILLING,
    ]
) | st.builds(
    lambda some: f'{{"id":5,{",".join(some)}}}', st.lists(members(), min_size=1, max_size=3)
)
LAYOUTS: dict[str, tuple[dict[str, Any], str]] = {
    "list": ({}, "[{}]"),
    "items": ({"records": "items"}, '{{"next":"a:b","items":[{}],"more":{{"n":1}}}}'),
    "enveloped": (
        {"records": "items", "envelope": ["meta.n"]},
        '{{"meta":{{"n":0}},"of":[{}]}}',
    ),
    "below names": ({"records": "*.of", "inherit": ["new"]}, '{{"x":{{"new":1.5,"of":[{}]}}}}'),
    "one or many": ({"records": "a.b", "one_or_many": True}, '{{"a":{{"b":[{}]}}}}'),
    "Windows-1252": ({"encoding": "windows-1252"}, "[{}]"),
}
SOURCES = {
    (name, key): contract(*COLUMNS, format=layout, key=[key] if key else [])
    for name, (layout, _) in LAYOUTS.items()
    for key in ("", "id")
}
RECEIVED = [
    *([bytes] * 30),
    lambda body: codecs.BOM_UTF8 + body,
    lambda body: body + b"\r\n\t ",
    lambda body: body + b"\0",
    lambda body: body[: len(body) // 2],
    lambda body: body[:-1],
    lambda body: body[1:],
    lambda body: b",".join([body, body]),
    lambda body: body.decode("latin-1").encode("utf-16"),
    lambda body: gzip.compress(body, mtime=0),
    lambda body: b"",
]
TYPES = ["", "", "application/json", "text/plain; charset=iso-8859-1"]


@st.composite
def landed(draw: st.DrawFn, around: str) -> PageBody:
    """A page of some records, as it was sent or damaged."""
    records = draw(st.lists(RECORDS, max_size=2))
    # "\x80" is valid in one of the encodings.
    body = draw(st.sampled_from(RECEIVED))(around.format(",".join(records)).encode("latin-1"))
    page = page_body(body, len(records) + draw(st.sampled_from([*([0] * 15), 1])))
    return replace(page, content_type=draw(st.sampled_from(TYPES)))


@given(st.data(), st.sampled_from([*SOURCES]), st.sampled_from([1, 3, 20_000]), st.booleans())
def test_pages_are_read_together_as_each_is_alone(data, which, batch_records, unreadable):
    around = LAYOUTS[which[0]][1]
    pages = [page_body(around.format(FILLING).encode(), 1), *data.draw(st.lists(landed(around)))]
    pages = [replace(page, name=f"{number}.gz") for number, page in enumerate(pages)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preparing, "BATCH_RECORDS", batch_records)
        patch.setattr(preparing, "TOGETHER_PAGES", data.draw(st.sampled_from([2, 256, 256])))
        together = read(then_unreadable(pages) if unreadable else pages, SOURCES[which])
        patch.setattr(preparing, "may_be_parsed", lambda layout: False)
        alone = read(then_unreadable(pages) if unreadable else pages, SOURCES[which])

    assert repr(together) == repr(alone)
