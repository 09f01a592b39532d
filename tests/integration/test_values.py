"""Numbers arrive digit for digit, or their record is in quarantine: JSON -> Reader -> COPY.

EXAMPLES=1000 tries more than `make test` does.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import os
from collections.abc import Callable
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from include.records.json import values as json_values
from include.warehouse import prepare as loading
from include.warehouse import read_back
from include.warehouse.columns import cast_numbers
from include.warehouse.connection import connect, connect_for_arrow
from include.warehouse.copy_binary import alike, append
from include.warehouse.prepare import prepare
from include.warehouse.schema.migrate import migrate
from tests.double_texts import is_written_for
from tests.samples import column, contract, counted, page_body, partition

EXAMPLES = int(os.environ.get("EXAMPLES", "10"))
MOST_DIGITS = 60
PRECISION, SCALE = 38, 15
TYPED = contract(
    column("id", "integer", required=True),
    column("amount", f"numeric({PRECISION},{SCALE})"),
    column("whole", "integer"),
    column("size", "double"),
    name="typed_numbers",
    key=["id"],
)
AS_SENT = contract(
    column("id", "integer", required=True),
    column("amount", f"numeric({PRECISION},{SCALE})"),
    column("code", accept_numbers=True),
    column("shape", "jsonb"),
    name="sent_numbers",
    key=["id"],
)
PLAIN = Context(prec=200, Emin=MIN_EMIN, Emax=MAX_EMAX)


def _number(digits: str, point: int, negative: bool, exponent: int | None) -> str:
    """Digits as JSON has them: no zero first, a point after `point` of them, an exponent."""
    whole, part = digits[: point or 1].lstrip("0") or "0", digits[point or 1 :]
    sign = "-" if negative else ""
    power = "" if exponent is None else f"e{exponent}"
    return f"{sign}{whole}{f'.{part}' if part else ''}{power}"


DIGITS = st.text("0123456789", min_size=1, max_size=MOST_DIGITS)
NUMBERS = st.one_of(
    st.builds(_number, DIGITS, st.integers(0, MOST_DIGITS), st.booleans(), st.none()),
    st.builds(_number, DIGITS, st.integers(0, 20), st.booleans(), st.integers(-30, 30)),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers(-(2**65), 2**65).map(str),
)
MUST_TRY = [
    "0.1", "12.50", "0.12345678901234567890", "1234567890123456.78", "9007199254740993.25",
    "9007199254740993", "90071992547409931234", "9223372036854775807", "9223372036854775808",
    "-9223372036854775809", "0.10000000000000001", "1e400", "1e-400", "1E+2", "-0.0", "1.0",
    "18446744073709551616", "1e22", "123456789012345678.9", "1234567890123456e3", "9" * 60,
    "100.00", "0.0", "-0.00", "1.50e1",
]  # fmt: skip
EXTREMES = ["-0", "1" * 1000, "9" * 5000, "0." + "1" * 1000, "1e100000", "1e-16000", "1e131072"]


@pytest.fixture(scope="module")
def database(new_database) -> Any:
    """A database with the two tables of numbers."""
    made = new_database()
    migrate(made.admin, [TYPED, AS_SENT], {})
    return made


STREAMED = 2**40


def load(
    database: Any, source: Any, sent: list[tuple[str, str]], size: int | None = None
) -> dict[int, dict[str, Any]]:
    """Load each value in its field and a record of its own; by its place, the row as text.

    The rows that are read back must have the hash of what was loaded. With
    another `size` than the body's, it is read as a stream.
    """
    items = (f'{{"id":{place},"{name}":{text}}}' for place, (name, text) in enumerate(sent))
    body = f"[{','.join(items)}]".encode()
    of = partition(source.name)
    with connect(database.admin) as connection, connection.cursor() as cursor:
        connection.execute(f"truncate raw.{source.name}")
        page = page_body(body, len(sent))
        pages = [dataclasses.replace(page, size=size or page.size)]
        counts, rows = counted(prepare(source, of, "landing", pages))
        for batches in alike(iter(rows)):
            append(cursor, "raw", source.name, batches)
        connection.commit()
    with connect_for_arrow(database.admin) as connection, connection.cursor() as cursor:
        held = read_back.held(cursor, source, of)
    assert (held.rows, held.content_hash) == (counts.rows, counts.content.hexdigest())
    assert counts.rows + len(counts.quarantine) == len(sent)
    names = [item.name for item in source.columns] + ["_extra"]
    listed = ", ".join(f"{name}::text as {name}" for name in names)
    rows = database.query(f"select {listed} from raw.{source.name}")
    return {int(row[0]): dict(zip(names, row, strict=True)) for row in rows}


def fits(text: str, precision: int, scale: int) -> bool:
    shifted = Decimal(text).scaleb(scale, PLAIN)
    return shifted == shifted.to_integral_value() and abs(shifted) < Decimal(10) ** precision


def is_plain(text: str) -> bool:
    return "e" not in text.lower()


def as_double(text: str) -> bool:
    """Whether the nearest double is finite, and written so."""
    return math.isfinite(float(text)) and is_written_for(float(text), Decimal(text))


def check(database: Any, numbers: list[str]) -> None:
    """Load each number as JSON and as text into every type, and compare."""
    check_typed(database, [(text, quoted) for text in numbers for quoted in (False, True)])
    check_as_sent(database, [(text, quoted) for text in numbers for quoted in (False, True)])


def _json(text: str, quoted: bool) -> str:
    return f'"{text}"' if quoted else text


def check_typed(database: Any, numbers: list[tuple[str, bool]]) -> None:
    """Numeric, integer and double, and then `_extra`, for which all numbers are read again."""
    cases: dict[str, Callable[[str, bool], bool]] = {
        "amount": lambda text, quoted: (
            fits(text, PRECISION, SCALE) and (is_plain(text) or not quoted)
        ),
        "whole": lambda text, quoted: (
            fits(text, 19, 0)
            and -(2**63) <= int(Decimal(text)) < 2**63
            and (text.lstrip("-").isdigit() or not quoted)
        ),
        "size": lambda text, _: as_double(text),
    }
    sent = [(name, text, quoted) for name in cases for text, quoted in numbers]
    extra = [("other", _json(text, quoted)) for text, quoted in numbers]

    others = load(database, TYPED, extra)
    rows = load(database, TYPED, [(name, _json(text, quoted)) for name, text, quoted in sent])

    for place, (text, quoted) in enumerate(numbers):
        check_json(others[place]["_extra"].removeprefix('{"other": ')[:-1], text, quoted)
    for place, (name, text, quoted) in enumerate(sent):
        assert (place in rows) == cases[name](text, quoted), (name, text, quoted)
        if place not in rows:
            continue
        if name == "size":
            assert float(rows[place]["size"]) == float(text)
        else:
            assert Decimal(rows[place][name]) == Decimal(text)


def check_as_sent(database: Any, numbers: list[tuple[str, bool]]) -> None:
    """Text that accepts numbers, jsonb, and `_extra` next to them: the very text of a number."""
    names = ("code", "shape", "other")
    sent = [(name, text, quoted) for name in names for text, quoted in numbers]

    rows = load(database, AS_SENT, [(name, _json(text, quoted)) for name, text, quoted in sent])

    for place, (name, text, quoted) in enumerate(sent):
        row = rows[place]
        if name == "code":
            assert row["code"] == text
            continue
        found = row["shape"] if name == "shape" else row["_extra"].removeprefix('{"other": ')[:-1]
        check_json(found, text, quoted)


def check_json(found: str, text: str, quoted: bool) -> None:
    if quoted or (is_plain(text) and Decimal(text)):
        assert found == _json(text, quoted)
    else:
        # PostgreSQL writes jsonb without exponents, and zero without a sign.
        assert Decimal(found) == Decimal(text)


def test_numbers_that_were_rounded_before_are_exact(database):
    check(database, MUST_TRY)


@pytest.mark.parametrize("text", EXTREMES)
def test_extreme_numbers_are_exact_or_quarantined_and_fail_no_load(database, text):
    held = text != "1e131072"  # the smallest number that jsonb cannot hold
    names = ("code", "shape", "other", "amount")

    rows = load(database, AS_SENT, [(name, text) for name in names])

    assert (0 in rows, 1 in rows, 2 in rows) == (True, held, held)
    assert rows[0]["code"] == text
    if held:
        check_json(rows[1]["shape"], text, False)
    assert (3 in rows) == (text == "-0")


@settings(max_examples=EXAMPLES)
@given(st.lists(NUMBERS, min_size=1, max_size=40))
def test_any_number_arrives_digit_for_digit_in_every_type_or_is_quarantined(database, numbers):
    check(database, numbers)


@settings(max_examples=EXAMPLES)
@given(st.lists(NUMBERS, min_size=1, max_size=40))
def test_a_large_body_is_read_as_a_small_one_is(database, numbers):
    for source in (TYPED, AS_SENT):
        fields = [item.name for item in source.columns if item.name != "id"] + ["other"]
        sent = list(zip(itertools.cycle(fields), numbers))

        assert load(database, source, sent, STREAMED) == load(database, source, sent)


def content(source: Any, *texts: str) -> str:
    items = (f'{{"id":{place},"other":{text}}}' for place, text in enumerate(texts))
    page = page_body(f"[{','.join(items)}]".encode(), len(texts))
    counts, _ = counted(prepare(source, partition(source.name), "landing", [page]))
    return counts.content.hexdigest()


@settings(max_examples=EXAMPLES * 5)
@given(NUMBERS, NUMBERS, st.booleans())
@example("1", "1.0", False)
@example("12.5", "12.50", False)
@example("12.5", "12.50", True)
@example("0", "-0", False)
@example("0.0", "-0.0", False)
@example("15.0", "1.50e1", False)
@example("1e2", "100", False)
@example("1", '"1"', False)
@example("true", '"true"', False)
@example("null", '""', False)
@example("1e-7", "0.0000001", False)
def test_two_numbers_have_one_hash_only_if_postgresql_stores_them_alike(
    database, one, other, nested
):
    if nested:
        one, other = f'{{"a":[{one}]}}', f'{{"a":[{other}]}}'
    stored = database.query(f"select '{one}'::jsonb::text = '{other}'::jsonb::text")[0][0]

    assert (content(TYPED, one) == content(TYPED, other)) == stored


GUARDS = {
    "long numbers are not looked for": (json_values, "may_hold_long_numbers", lambda text: False),
    "a double takes any number": (cast_numbers, "_gives_back", lambda text: True),
    "numbers of unknown fields are not read again": (
        loading,
        "holds_floats",
        lambda unknown: False,
    ),
}


@pytest.mark.parametrize("guard", GUARDS)
def test_the_check_fails_without_each_guard(database, monkeypatch, guard):
    monkeypatch.setattr(*GUARDS[guard])

    with pytest.raises(AssertionError):
        # For a number beyond every double, a text is read in another way.
        check(database, [text for text in MUST_TRY if text != "1e400"])
