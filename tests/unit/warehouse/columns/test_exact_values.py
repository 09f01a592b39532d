"""Exact numbers, numbers as text, long fractions and far years: taken, or refused with a reason."""

from __future__ import annotations

import math
import sys
import tracemalloc
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from include.records.json.values import parsed
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
        ("5.960464477539063e-08", 2.0**-24),
        ("1.00000762939453125", 1 + 2.0**-17),
        ("1.0000076293945312", 1 + 2.0**-17),
        ("1.0000076293945313", 1 + 2.0**-17),
        ("1.0000076293945314", None),
        ("1e400", None),
    ],
)
@pytest.mark.parametrize("quoted", [False, True])
def test_a_double_takes_the_numbers_whose_digits_it_returns(sent, double, quoted):
    values = [f'"{sent}"' if quoted else sent, "1.5", '"1.5"']

    batch = typed(parsed(f"[{','.join(values)}]".encode()), "double")

    assert batch.array.to_pylist() == [double, 1.5, 1.5]
    assert batch.wrong.tolist() == [double is None, False, False]


def test_a_double_is_taken_however_python_writes_it():
    doubles = [2.0**power for power in range(-1074, 1024)]

    batch = typed([repr(double) for double in doubles], "double")

    assert not batch.wrong.any()
    assert batch.array.to_pylist() == doubles


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


def test_a_text_column_that_does_not_names_the_option_that_would():
    batch = read(CODES, '{"kind":12}')

    assert batch.differences["kind", "type"] == (
        "expected text (or numbers, with `accept_numbers: true`) at `kind`, found number 12"
    )


def test_allowed_numbers_are_compared_as_text():
    source = contract(column("code", accept_numbers=True, allowed=[12, "A"]))

    batch = read(source, '{"code":12}', '{"code":"12"}', '{"code":"A"}', '{"code":13}')

    assert [item.rule for item in batch.broken] == ["allowed"]


def test_jsonb_keeps_the_text_of_numbers_and_hashes_what_postgresql_makes_of_it():
    texts = (b'[{"b":12.50,"a":1E+2}]', b'[{"a":100,"b":12.50}]', b'[{"a":100,"b":12.5}]')
    (one,), (same,), (other,) = (parsed(text, as_sent=True) for text in texts)

    assert json_forms(one) == ('{"a":1E+2,"b":12.50}', '{"a":100,"b":12.50}')
    assert typed([one], "jsonb").hashes == typed([same], "jsonb").hashes
    assert typed([one], "jsonb").hashes != typed([other], "jsonb").hashes


@given(st.decimals(allow_nan=False, allow_infinity=False, places=25) | st.integers())
def test_a_number_has_one_canonical_form_however_it_is_written(number):
    plain = f"{number:f}" if isinstance(number, Decimal) else str(number)
    tenfold = f"{Decimal(number).scaleb(1, Context(prec=100)):f}e-1"
    ways = [plain, f"{plain}e0", *([tenfold] if "." in plain else [])]

    forms = {canonical_json(parsed(way.encode(), as_sent=True)) for way in ways}

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


def test_rounding_carries_over_into_the_next_day_and_works_in_a_zone():
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
def test_the_options_fit_their_type(type_name, words, message):
    with pytest.raises(ValidationError, match=message):
        contract(column("a", type_name, **words))


LIMITS = st.integers(-(10**39), 10**39) | st.floats(allow_nan=False, allow_infinity=False)
LARGE = st.integers(-(10**18) + 1, 10**18 - 1)


@given(LIMITS, st.integers(-3, 3), LARGE, st.sampled_from(["numeric(38,0)", "numeric(20,2)"]))
@example(10**37, 1, 0, "numeric(38,0)")
@example(9007199254740993, 1, 0, "integer")
@example(0.3, 0, 0, "numeric(20,2)")
def test_a_minimum_and_a_maximum_are_compared_exactly(limit, beside, large, type_name):
    step = Decimal(1).scaleb(-2) if "2)" in type_name else Decimal(1)
    exact = Decimal(repr(limit))
    sent = [
        f"{beside * step + exact.quantize(step) if abs(exact) < 10**17 else exact:f}",
        str(large),
    ]
    for rule, breaks in (("minimum", Decimal.__lt__), ("maximum", Decimal.__gt__)):
        source = contract(column("n", type_name, **{rule: limit}))
        batch = read(source, *(f'{{"n":{text}}}' for text in sent))
        broken = {item.index: item.rule for item in batch.broken}
        for place, text in enumerate(sent):
            if broken.get(place) != "type":
                assert (broken.get(place) == rule) == breaks(Decimal(text), exact), (text, rule)


@given(st.integers(2**53, 2**53 + 99) | st.integers(2**60, 10**308), st.integers(-9, 9))
@example(9007199254740993, 0)
@example(-9007199254740995, 0)
@example(int(sys.float_info.max), 0)
def test_a_double_is_compared_exactly_with_a_limit_between_two_doubles(limit, steps):
    value = float(limit)
    for _ in range(abs(steps)):
        value = math.nextafter(value, math.copysign(math.inf, steps))
    assume(math.isfinite(value))
    for rule, breaks in (("minimum", value < limit), ("maximum", value > limit)):
        batch = read(contract(column("n", "double", **{rule: limit})), f'{{"n":{value!r}}}')

        assert [item.rule for item in batch.broken] == [rule] * breaks


def test_a_limit_is_written_in_full_in_the_message():
    source = contract(column("n", "numeric(38,0)", maximum=12345678901234567891))

    batch = read(source, '{"n":12345678901234567892}')

    assert batch.differences["n", "maximum"] == (
        "expected at most 12345678901234567891 at `n`, found number 12345678901234567892"
    )


def test_a_limit_that_is_not_finite_is_refused():
    with pytest.raises(ValidationError, match="finite number"):
        contract(column("n", "double", maximum=float("inf")))


@pytest.mark.parametrize(
    ("meant", "sent", "is_null"),
    [
        ("9007199254740993", "9007199254740992", False),
        ("9007199254740993", "9007199254740993", True),
        (32768.47, "32768.470", True),
        ("32768.47", "32768.470", True),
        (5.0, "5", True),
        ("0.1", "0.10", True),
        ("0.1", "0.1", True),
        (1, "true", False),
    ],
)
@pytest.mark.parametrize("type_name", ["jsonb", "numeric(38,5)"])
def test_a_value_that_means_null_is_compared_exactly(meant, sent, is_null, type_name):
    source = contract(column("n", type_name, null_values=[meant]))

    batch = read(source, f'{{"n":{sent}}}')

    assert batch.arrays["n"].null_count == (is_null or bool(batch.broken))


@pytest.mark.parametrize("text", ["1e200000", '{"a":[1e200000]}', '"\\ud800"', '{"\\u0000":1}'])
def test_a_sample_of_an_unknown_field_is_one_that_the_books_can_hold(text):
    drift = Drift()

    drift.add(contract(column("id")), "api", {("new",): [parsed(text.encode())]})

    assert typed([drift.fields["new"].samples], "jsonb").as_expected


def test_a_few_bytes_of_an_exponent_take_no_memory(monkeypatch):
    values = parsed(b"[%b]" % b",".join([b"1e131000", b"1e-16000"] * 500))
    tracemalloc.start()

    for type_name in ("integer", "double", "numeric(38,10)", "boolean", "date"):
        assert typed(values, type_name).wrong.all()

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000


@pytest.mark.parametrize("odd", ["[" * 700 + "1" + "]" * 700, "NaN", '"\\ud800"', "-0"])
def test_numbers_are_as_sent_whatever_is_next_to_them(odd):
    found = parsed(f"[12.50,{odd}]".encode(), as_sent=True)

    assert str(found[0]) == "12.50"
    assert odd != "-0" or str(found[1]) == "-0"


@pytest.mark.parametrize("zone", ["+00", "+0000", "+00:00", "-00:00", "Z"])
def test_a_zone_may_leave_out_its_minutes(zone):
    assert moments([f"2026-07-03T16:00:00{zone}", f"2026-07-03 16:00{zone}"])[0] == [AT, AT]
