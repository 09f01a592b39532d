"""Any value in any column and any format: stored as it was sent, or its record in quarantine.

Landed in S3, loaded, loaded again in other bytes and as a stream, and verified. EXAMPLES=1000
tries more than `make test` does.
"""

from __future__ import annotations

import csv
import io
import json
import os
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from include.jobs.operate import verify as verifying
from include.jobs.pipeline.load import load
from include.jobs.pipeline.selection import Selection
from include.records import read as reading
from include.records.json import stream as json_stream
from include.sources.model import contracts
from include.warehouse.schema.migrate import migrate
from tests.integration.landings import land
from tests.samples import column, contract

EXAMPLES = int(os.environ.get("EXAMPLES", "8"))
ZONE = "Europe/London"
COLUMNS = {
    "a_text": column("a_text"),
    "a_code": column("a_code", accept_numbers=True),
    "an_integer": column("an_integer", "integer"),
    "a_numeric": column("a_numeric", "numeric(38,10)"),
    "a_double": column("a_double", "double"),
    "a_boolean": column("a_boolean", "boolean"),
    "a_date": column("a_date", "date"),
    "a_time": column("a_time", "timestamptz"),
    "a_local_time": column("a_local_time", "timestamptz", zone=ZONE),
    "a_json": column("a_json", "jsonb"),
}
FORMATS: dict[str, dict[str, Any]] = {
    "list": {},
    "lines": {"kind": "jsonl"},
    "rows": {"kind": "rows"},
    "keyed": {"records": "*", "inherit": {"name": "*"}},
    "csv": {"kind": "csv", "null_values": [""]},
}
SOURCES = {
    name: contract(
        column("id", "integer", required=True),
        *COLUMNS.values(),
        *([column("name", required=True)] if name == "keyed" else []),
        name=f"any_value_{name}",
        key=["id"],
        format=layout,
    )
    for name, layout in FORMATS.items()
}

DIGITS = st.from_regex(
    r"-?(0|[1-9][0-9]{0,40})(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,3})?", fullmatch=True
)
ODD_NUMBERS = [
    "-0", "-0.0", "0.00", "1.0", "12.50", "1e400", "1E-400", "1e22", "9" * 400, "NaN", "Infinity",
    "-Infinity", "9007199254740993", "18446744073709551616", "1e131072",
]  # fmt: skip
NUMBER_TEXTS = [
    "+1", "01", "007", " 12", "12 ", "1,234", "1_000", "0x10", "1.", ".5", "", "-", "+", "\u0663",
    "\uff11\uff12", "1e5", "Inf", "nan", "1/2", "\u22121", "12.50", "1 000", "--1",
    "1e", "0" * 40 + "1",
]  # fmt: skip
TIME_TEXTS = [
    "2026-07-03", "2026-02-30", "0000-01-01", "0001-01-01", "9999-12-31", "10000-01-01",
    "2026-07-03T24:00:00Z", "2016-12-31T23:59:60Z", "2026-07-03T16:00:00+14:00",
    "2026-07-03T16:00:00-00:00", "2026-07-03T16:00:00+00", "2026-07-03T16:00:00+0000",
    "2026-07-03 16:00:00.1234560000Z", "2026-07-03T16:00:00.1234567Z", "2026-07-03T16:00Z",
    "2026-03-29T01:30:00", "2026-10-25T01:30:00", "2026-07-03T16:00:00", "2026-07-03T16:60:00Z",
    "2026-07-03T16:00:00+25:00", "2026-07-03T16:00:00,5Z", "20260703T160000Z", "2026-W27-5",
    "03/07/2026", "1767225600", "2026-07-03T16:00:00 Z", "2026-07-03T16:00:00Z\n", "infinity",
    "2026-07-03T16:00:00.Z", "2026-7-3", "2026-07-03T9:00:00Z", "0001-01-01T00:00:00+01:00",
    "2026-07-03T16:00:00z", "2026-07-03t16:00:00Z", "2026-07-03T16:00:00+01:60", "now",
]  # fmt: skip
OTHER_TEXTS = ["true", "True", "TRUE", "t", "yes", "0", "1", "null", "\x00", "a\x00b", "\\u0000"]
ODD_VALUES = [
    "true", "false", "null", "[]", "{}", "[1.50]", '{"a":1.50}', '{"a":1,"a":2}', '[{"a":1,"a":1}]',
    '{"a":"\\u0000"}', '{"\\u0000":1}', '"\\ud800"', '["\\ud83d\\ude00","\\udc00"]',
    '{"\\ud800":1}',
    "[" * 300 + "]" * 300, "[NaN]", '{"a":1e131072}', '"\\\\u0000"', '{"b":1,"a":[2.0,1e2,-0.0]}',
]  # fmt: skip
TEXTS = st.sampled_from(NUMBER_TEXTS + TIME_TEXTS + OTHER_TEXTS) | st.text(max_size=12)
VALUES = st.one_of(
    DIGITS,
    st.sampled_from(ODD_NUMBERS),
    TEXTS.map(lambda text: json.dumps(text, ensure_ascii=False)),
    TEXTS.map(json.dumps),
    DIGITS.map(json.dumps),
    st.sampled_from(ODD_VALUES),
)
# A field and the JSON of its value.
SENT = st.tuples(st.sampled_from([*COLUMNS, "other"]), VALUES)


@pytest.fixture(scope="module")
def database(new_database) -> Any:
    """A database with a table for each format."""
    made = new_database()
    migrate(made.admin, [*SOURCES.values()], {})
    return made


def body_of(name: str, sent: list[tuple[str, str]]) -> bytes:
    """One record for each value; all other fields are null."""
    records = [
        {"id": str(place)} | dict.fromkeys(COLUMNS, "null") | {field: value}
        for place, (field, value) in enumerate(sent)
    ]
    objects = [
        f"{{{','.join(f'{json.dumps(key)}:{item}' for key, item in record.items())}}}"
        for record in records
    ]
    if name == "lines":
        text = "".join(f"{item}\n" for item in objects)
    elif name == "keyed":
        named = (f'"k{place}":{item}' for place, item in enumerate(objects))
        text = f"{{{','.join(named)}}}"
    elif name == "rows":
        names = ["id", *COLUMNS, "other"]
        rows = [json.dumps(names)]
        rows += [f"[{','.join(record.get(key, 'null') for key in names)}]" for record in records]
        text = f"[{','.join(rows)}]"
    else:
        text = f"[{','.join(objects)}]"
    return text.encode("utf-8", "surrogatepass")


def csv_of(sent: list[tuple[str, str]]) -> bytes:
    names = ["id", *COLUMNS, "other"]
    file = io.StringIO()
    writer = csv.DictWriter(file, names, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writeheader()
    writer.writerows({"id": place, field: value} for place, (field, value) in enumerate(sent))
    return file.getvalue().encode()


def value_of(text: str) -> Any:
    """The value of JSON, with numbers as their text in a tuple of one."""
    return json.loads(
        text, parse_int=lambda digits: (digits,), parse_float=lambda digits: (digits,)
    )


def decimal_of(value: Any) -> Decimal | None:
    with suppress(InvalidOperation, TypeError):
        return Decimal(value[0] if isinstance(value, tuple) else value)
    return None


def instant(text: Any, zone: str) -> datetime | None:
    """The moment that a text means, by the standard library, which knows six digits of a second."""
    with suppress(ValueError, TypeError, OverflowError):
        found = datetime.fromisoformat(text)
        if found.tzinfo is None and zone:
            local = found.replace(tzinfo=ZoneInfo(zone))
            utc = local.astimezone(UTC)
            unique = local.utcoffset() == local.replace(fold=1).utcoffset()
            return (
                utc
                if unique and utc.astimezone(ZoneInfo(zone)).replace(tzinfo=None) == found
                else None
            )
        return found.astimezone(UTC) if found.tzinfo else None
    return None


def means(field: str, sent: Any, stored: Any) -> bool:
    """Whether what a column has is what was sent."""
    match field:
        case "a_text":
            return bool(sent == stored)
        case "a_code":
            return bool((sent[0] if isinstance(sent, tuple) else sent) == stored)
        case "an_integer" | "a_numeric":
            return decimal_of(sent) == stored
        case "a_double":
            exact = decimal_of(sent)
            return exact is not None and float(exact) == stored
        case "a_boolean":
            return (
                sent if isinstance(sent, bool) else {"true": True, "false": False}.get(sent)
            ) is stored
        case "a_date":
            return bool(sent == stored.isoformat())
        case _:
            return instant(sent, ZONE if field == "a_local_time" else "") == stored


def check_stored(
    database: Any, name: str, sent: list[tuple[str, str]], values: list[Any], texts: bool
) -> int:
    """That each row has what was sent; returns the number of rows."""
    source = SOURCES[name]
    listed = ", ".join(f'"{field}"' for field in COLUMNS if field != "a_json")
    with psycopg.connect(database.admin) as connection:
        connection.execute("set time zone 'UTC'")
        found = connection.execute(
            f"select id, a_json::text, _extra::text, {listed} from raw.{source.name}"
        ).fetchall()
        for place, a_json, extra, *others in found:
            field, text = sent[place]
            row = dict(zip((item for item in COLUMNS if item != "a_json"), others, strict=True))
            row |= {"a_json": a_json}
            sent_null = values[place] is None or (texts and values[place] == "")
            for other, stored in row.items():
                if other != field or sent_null:
                    assert stored is None, (name, field, text, other, stored)
            if sent_null or (field == "other" and texts):
                continue
            if field in ("a_json", "other"):
                as_sent = json.dumps(values[place]) if texts else text
                whole = f'{{"other": {as_sent}}}' if field == "other" else as_sent
                (expected,) = connection.execute("select %s::jsonb::text", [whole]).fetchone() or ()
                assert (extra if field == "other" else a_json) == expected, (name, text)
            else:
                assert row[field] is not None, (name, field, text)
                assert means(field, values[place], row[field]), (name, field, text, row[field])
    return len(found)


def load_and_check(
    database: Any, lake: Any, name: str, bodies: list[bytes], sent: Any, values: list[Any]
) -> int:
    """Load each body in turn; only the first may change anything."""
    source = SOURCES[name]
    where = source.partition("kingston", "2017-05")
    database.query(f"truncate raw.{source.name}, ops.load, ops.landing, ops.quarantine")
    for number, body in enumerate(bodies):
        land(lake, source, body, counts=[len(sent)], run_id=f"run {number}")
        with pytest.MonkeyPatch.context() as patch:
            if number == len(bodies) - 1:
                patch.setattr(reading, "STREAM_ABOVE_BYTES", 256)
                patch.setattr(json_stream, "PIECE_BYTES", 512)
            entry = load(source, where, lake=lake, dsn=database.dsn(), run_id=f"run {number}")
        assert entry["records"] == entry["loaded"] + entry["quarantined"] == len(sent)
        assert entry["status"] == ("unchanged" if number else "loaded")
    found = check_stored(database, name, sent, values, texts=name == "csv")
    assert found == entry["loaded"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(contracts(), source.name, source)
        verified = verifying.verify(
            lake=lake, dsn=database.dsn(), selection=Selection((source.name,)), deep=True
        )
    assert verified.differences == []
    return int(entry["loaded"])


# Other bytes with the same records; the last body is read as a stream.
ENDS = (b"", b"\n")
# A failing example has a record for each value: it is read easily as it is.
PHASES = [Phase.generate]
SLOW = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", [name for name in FORMATS if name != "csv"])
def test_a_value_of_json_is_stored_as_it_was_sent_or_in_quarantine(database, lake, name):
    @settings(max_examples=EXAMPLES, suppress_health_check=SLOW, deadline=None, phases=PHASES)
    @given(st.lists(SENT, min_size=1, max_size=40))
    def check(sent: list[tuple[str, str]]) -> None:
        bodies = [body_of(name, sent) + end for end in ENDS]
        load_and_check(database, lake, name, bodies, sent, [value_of(text) for _, text in sent])

    check()
    everything = [
        (field, text) for field in [*COLUMNS, "other"] for text in ODD_VALUES + ODD_NUMBERS
    ]
    everything += [
        (field, json.dumps(text))
        for field in [*COLUMNS, "other"]
        for text in NUMBER_TEXTS + TIME_TEXTS + OTHER_TEXTS
    ]
    bodies = [body_of(name, everything) + end for end in ENDS]
    values = [value_of(text) for _, text in everything]
    assert load_and_check(database, lake, name, bodies, everything, values) > len(everything) / 4


@pytest.mark.timeout(600)
def test_a_value_of_csv_is_stored_as_it_was_sent_or_in_quarantine(database, lake):
    @settings(max_examples=EXAMPLES, suppress_health_check=SLOW, deadline=None, phases=PHASES)
    @given(
        st.lists(
            st.tuples(st.sampled_from([*COLUMNS, "other"]), TEXTS | DIGITS), min_size=1, max_size=40
        )
    )
    def check(sent: list[tuple[str, str]]) -> None:
        bodies = [csv_of(sent) + end for end in ENDS]
        load_and_check(database, lake, "csv", bodies, sent, [text for _, text in sent])

    check()
    texts = NUMBER_TEXTS + TIME_TEXTS + OTHER_TEXTS + ODD_NUMBERS
    everything = [(field, text) for field in [*COLUMNS, "other"] for text in texts]
    bodies = [csv_of(everything) + end for end in ENDS]
    values = [text for _, text in everything]
    assert load_and_check(database, lake, "csv", bodies, everything, values) > len(everything) / 4
