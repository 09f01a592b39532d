"""Exact numbers, numbers as text, long fractions and far years: taken, or refused with a reason."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from include.records.json_values import parsed
from include.warehouse.columns.batch import Batch, Reader
from include.warehouse.columns.cast import typed
from include.warehouse.columns.hashing import canonical_json, json_forms
from include.warehouse.columns.redact import Withholding
from include.warehouse.columns.unknown_fields import Drift
from tests.samples import column, contract


def read(source: Any, *records: str) -> Batch:
    found = parsed(f"[{','.join(records)}]".encode(), source.layout().as_sent)
    return Reader(source).read(found, range(1, len(found) + 1), [({}, len(found))])


@pytest.mark.parametrize(
    ("sent", "double"),
    [
        ("0.30000000000000004", 0.30000000000000004),
        ("0.10000000000000001", 0.1),
        ("0.1000000000000000055511151231257827", 0.1),
        ("0.10000000000000000000", 0.1),
        ("0.1234567890123456789", None),
        ("0.12345678901234567", None),
        ("1234567890123456.78", None),
        ("9007199254740993", None),
        ("9007199254740992", 2.0**53),
        ("1e-400", None),
        ("1.2345678e-320", None),
        ("5e-324", 5e-324),
        ("1e400", None),
    ],
)
@pytest.mark.parametrize("quoted", [False, True])
def test_a_double_takes_the_numbers_whose_digits_it_gives_back(sent, double, quoted):
    values = [f'"{sent}"' if quoted else sent, "1.5", '"1.5"']

    batch = typed(parsed(f"[{','.join(values)}]".encode()), "double")

    assert batch.array.to_pylist() == [double, 1.5, 1.5]
    assert batch.wrong.tolist() == [double is None, False, False]


def test_a_number_that_no_column_holds_is_named_as_it_was_sent():
    source = contract(column("n", "numeric(20,2)"), column("w", "integer"))

    batch = read(source, '{"n":0.12345678901234567890}', '{"w":90071992547409931234}')

    assert batch.differences == {
        ("n", "type"): "expected numeric(20,2) at `n`, found number 0.12345678901234567890",
        ("w", "type"): "expected integer at `w`, found number 90071992547409931234",
    }


CODES = contract(
    column("code", accept_numbers=True, null_values=[0, "n/a"], allowed=[]), column("kind")
)


def test_a_text_column_that_accepts_numbers_has_them_as_sent():
    sent = ["12", '"A-13"', "12.50", "1.0", "1E+2", "90071992547409931234", "0.1", "0", '"n/a"']

    batch = read(CODES, *(f'{{"code":{text}}}' for text in sent))

    assert batch.arrays["code"].to_pylist() == [
        "12", "A-13", "12.50", "1.0", "1E+2", "90071992547409931234", "0.1", None, None,
    ]  # fmt: skip
    assert not batch.broken


@pytest.mark.parametrize("value", ["true", "[1]", '{"a":1}', "NaN", "1e400e", "Infinity"])
def test_a_text_column_that_accepts_numbers_takes_nothing_else(value):
    if value == "1e400e":
        value = '"\\u0000"'

    batch = read(CODES, f'{{"code":{value}}}')

    assert [(item.column, item.rule) for item in batch.broken] == [("code", "type")]


def test_a_text_column_that_does_not_names_the_word_that_would():
    batch = read(CODES, '{"kind":12}')

    assert batch.differences["kind", "type"] == (
        "expected text (or numbers, with `accept_numbers: true`) at `kind`, found number 12"
    )


def test_allowed_numbers_are_compared_as_text():
    source = contract(column("code", accept_numbers=True, allowed=[12, "A"]))

    batch = read(source, '{"code":12}', '{"code":"12"}', '{"code":"A"}', '{"code":13}')

    assert [item.rule for item in batch.broken] == ["allowed"]


def test_jsonb_keeps_the_text_of_numbers_and_hashes_their_value():
    (one,), (other,) = (
        parsed(text, as_sent=True) for text in (b'[{"b":12.50,"a":1E+2}]', b'[{"a":100,"b":12.5}]')
    )

    assert json_forms(one) == ('{"a":1E+2,"b":12.50}', '{"a":100,"b":12.5}')
    assert typed([one], "jsonb").hashes == typed([other], "jsonb").hashes


@given(st.decimals(allow_nan=False, allow_infinity=False, places=25) | st.integers())
def test_a_number_has_one_canonical_form_however_it_is_written(number):
    plain = f"{number:f}" if isinstance(number, Decimal) else str(number)
    ways = [plain, f"{plain}e0", f"{plain}0e0" if "." in plain else f"{plain}.000"]

    forms = {canonical_json(parsed(way.encode(), as_sent)) for way in ways for as_sent in (0, 1)}

    assert len(forms) == 1
    assert Decimal(forms.pop()) == Decimal(number)


@pytest.mark.parametrize(
    "text", ["1e131072", "1e-16384", "9e99999999999999999999", "0." + "1" * 16384]
)
def test_jsonb_refuses_what_postgresql_cannot_hold(text):
    assert typed(parsed(f"[{text},1]".encode()), "jsonb").wrong.tolist() == [True, False]


def test_what_is_kept_of_a_record_keeps_its_digits():
    source = contract(column("n", "integer"))
    record = parsed(b'{"n":12345678901234567.5}')
    drift = Drift()

    drift.add(source, "api", {("new",): [record["n"]]})

    assert Withholding(source.columns).record(record) == b'{"n": 12345678901234567.5}'
    assert drift.fields["new"].samples == [record["n"]]
    assert drift.fields["new"].type == "jsonb"


def moments(texts: list[str | None], zone: str = "", fraction: str = "quarantine") -> Any:
    found = typed([*texts], "timestamptz", zone, fraction)
    return found.array.to_pylist(), {name: mask.tolist() for name, mask in found.refused.items()}


AT = datetime(2026, 7, 3, 16, tzinfo=UTC)
SEVEN = ["2026-07-03T16:00:00.0000000Z", "2026-07-03T17:00:00.500000000+01:00",
         "2026-07-03T16:00:00.1234567Z", None]  # fmt: skip
HALF = AT + timedelta(seconds=0.5)


@pytest.mark.parametrize(
    ("fraction", "last", "refused"),
    [
        ("quarantine", None, {"fraction": [False, False, True, False]}),
        ("truncate", AT + timedelta(microseconds=123456), {}),
        ("round", AT + timedelta(microseconds=123457), {}),
    ],
)
def test_more_than_six_digits_of_a_second_are_taken_if_the_rest_is_zero_or_as_the_contract_says(
    fraction, last, refused
):
    assert moments(SEVEN, fraction=fraction) == ([AT, HALF, last, None], refused)


def test_rounding_goes_on_into_the_next_day_and_works_in_a_zone():
    found, refused = moments(["2026-12-31T23:59:59.99999951"], "Europe/London", "round")

    assert (found, refused) == ([datetime(2027, 1, 1, tzinfo=UTC)], {})


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("9999-12-31T23:59:59", "Europe/London"),
        ("2100-01-01T00:00:00", "Europe/London"),
        ("9999-12-31T23:59:59-01:00", ""),
        ("0001-01-01T00:00:00+01:00", ""),
        ("0001-01-01T00:00:00", "Asia/Tokyo"),
    ],
)
def test_a_moment_of_a_year_that_is_not_known_is_refused_for_its_year(text, zone):
    assert moments([text, "2026-07-03T16:00:00Z"], zone) == ([None, AT], {"year": [True, False]})


@pytest.mark.parametrize("text", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"])
def test_the_first_and_the_last_moment_are_taken(text):
    assert moments([text]) == ([datetime.fromisoformat(text)], {})


ORDERS = contract(
    column("valid_to", "timestamptz", zone="Europe/London"), column("made", "timestamptz")
)


def test_the_reason_names_the_year_the_fraction_and_the_value():
    batch = read(
        ORDERS,
        '{"valid_to":"9999-12-31T23:59:59"}',
        '{"valid_to":"2026-07-03T24:00:00"}',
        '{"made":"9999-12-31T23:59:59-01:00"}',
        '{"made":"2026-07-03T15:03:21.1234567Z"}',
    )

    assert batch.differences == {
        ("valid_to", "year"): "expected a year from 1 to 2099 (later clock changes of "
        'Europe/London are not known) at `valid_to`, found text "9999-12-31T23:59:59"',
        (
            "valid_to",
            "type",
        ): 'expected timestamptz at `valid_to`, found text "2026-07-03T24:00:00"',
        ("made", "year"): "expected a year from 1 to 9999 in UTC at `made`, found text "
        '"9999-12-31T23:59:59-01:00"',
        ("made", "fraction"): "expected at most six digits of a second (or `fraction: truncate` or "
        '`round`) at `made`, found text "2026-07-03T15:03:21.1234567Z"',
    }


@pytest.mark.parametrize(
    ("type_name", "words", "message"),
    [
        ("integer", {"accept_numbers": True}, "`accept_numbers` needs `type: text`"),
        ("date", {"fraction": "round"}, "`fraction` needs `type: timestamptz`"),
    ],
)
def test_the_words_fit_their_type(type_name, words, message):
    with pytest.raises(ValidationError, match=message):
        contract(column("a", type_name, **words))
