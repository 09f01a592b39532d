"""Values as publishers write them: converted exactly, or in quarantine with the value."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from include.records.json.values import parsed
from include.sources.columns import Column
from include.sources.conversions.numbers import NumberFormat
from include.warehouse.columns.batch import Batch, Reader
from include.warehouse.columns.cast import typed_as
from include.warehouse.columns.convert import plain
from include.warehouse.columns.pseudonyms import Pseudonyms
from include.warehouse.columns.typed_column import Typed
from tests.samples import column, contract

MONEY = {"thousands": ",", "symbols": ["£", "GBP"], "negative": ["(#)", "#-", "#CR"]}
NBSP, THIN, MINUS = "\u00a0", "\u202f", "\u2212"


def cast(values: list[Any], type_name: str, **words: Any) -> Typed:
    return typed_as(Column.model_validate(column("a", type_name, **words)), values)


def found(values: list[Any], type_name: str, **words: Any) -> list[Any]:
    """The values as a column; "wrong" for those that break the rule `type`, else their rule."""
    made = cast(values, type_name, **words)
    answers = made.array.to_pylist()
    for rule, mask in {"wrong": made.wrong, **made.refused}.items():
        answers = [rule if broken else a for a, broken in zip(answers, mask, strict=True)]
    return answers


def read(source: Any, *values: Any) -> Batch:
    records = [{"a": value} for value in values]
    key = Pseudonyms("k" * 64)
    return Reader(source, "api", key).read(
        records, range(1, len(records) + 1), [({}, len(records))]
    )


# --- numbers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("£1,234.50", "1234.50"),
        ("1,234.50", "1234.50"),
        ("1234.5", "1234.50"),
        ("1,234,567", "1234567.00"),
        ("GBP 12", "12.00"),
        ("12 GBP", "12.00"),
        (f"£{NBSP}12", "12.00"),
        ("(12.00)", "-12.00"),
        ("£(5)", "-5.00"),
        ("£ (5)", "-5.00"),
        ("(£5)", "-5.00"),
        ("(5) £", "-5.00"),
        ("(5 £)", "-5.00"),
        ("12.00-", "-12.00"),
        (f"12.00{MINUS}", "-12.00"),
        ("£5-", "-5.00"),
        ("5.00CR", "-5.00"),
        ("£5.00 CR", "-5.00"),
        ("-£5", "-5.00"),
        ("£-5", "-5.00"),
        ("- £ 5", "-5.00"),
        (f"{MINUS}5", "-5.00"),
        ("+£5", "5.00"),
        ("£.5", "0.50"),
        ("£5.", "5.00"),
        ("5.000", "5.00"),
        ("-0", "0.00"),
    ],
)
def test_money_is_read_with_its_separators_symbol_and_sign(text, number):
    assert found([text], "numeric(12,2)", number=MONEY) == [Decimal(number)]


@pytest.mark.parametrize(
    "text",
    [
        *("1,23,4", "1,2345", "12,34", ",123", "1,,234", "1234,567", "1,234,56", "0.1,234"),
        *("--", "-", "", "£", "#", "()", "(#)", "£ ", "--5", "-(5)", "(-5)", "+-5", "5--", "(5"),
        *("££5", "£5£", "£5 GBP", "$5", "gbp 5", "5 5", "1 234", " 5", "5 ", "\t5", "5\n"),
        *(
            "12.345",
            "1e3",
            "12.5%",
            "\uff15",
            "\u0663",
            "1٬234",
            "\u20135",
            "5\u2013",
            "1.234,50",
            "NaN",
        ),
        *("1,234.5.0", "0x10", "½", "1_000", "5CRCR", "(5)-", "(5CR)", "Infinity", "five", "1'234"),
    ],
)
def test_what_is_written_in_another_way_is_not_a_number(text):
    assert found([text], "numeric(12,2)", number=MONEY) == ["wrong"]


@pytest.mark.parametrize("space", [" ", NBSP, THIN, "\u2009"])
def test_a_space_between_thousands_is_any_space_that_does_not_break(space):
    continental = {"thousands": " ", "decimal": ",", "symbols": ["€"]}
    text = f"1{space}234{space}567,50{space}€"

    assert found([text], "numeric(12,2)", number=continental) == [Decimal("1234567.50")]


def test_a_decimal_comma_leaves_the_point_to_thousands_only():
    german = {"thousands": ".", "decimal": ","}

    values = ["1.234,5", "1,5", "1.5", "1.234", "1234", ",5", "1.234.567"]

    assert found(values, "double", number=german) == [
        1234.5, 1.5, "wrong", 1234.0, 1234.0, 0.5, 1234567.0,
    ]  # fmt: skip


def test_numbers_that_need_no_conversion_stay_what_they_were():
    values = [12, 12.5, None, True, [1], {"a": 1}, float("nan"), float("inf")]

    assert found(values, "numeric(12,2)", number=MONEY) == [
        Decimal("12.00"), Decimal("12.50"), None, "wrong", "wrong", "wrong", "wrong", "wrong",
    ]  # fmt: skip
    assert found(["1.5E+3", "1e3", "-1E-2"], "double", number=MONEY) == [1500.0, 1000.0, -0.01]


def test_every_digit_is_kept():
    text = "£12,345,678,901,234,567,890.123456789012345678"

    assert found([text], "numeric(38,18)", number=MONEY) == [
        Decimal("12345678901234567890.123456789012345678")
    ]
    assert found(["9,223,372,036,854,775,807"], "integer", number=MONEY) == [2**63 - 1]
    assert found(["9,223,372,036,854,775,808", "1.0"], "integer", number=MONEY) == ["wrong"] * 2
    assert found(["0.1234567890123456789"], "double", number=MONEY) == ["wrong"]


@pytest.mark.parametrize(
    ("text", "fraction", "points"),
    [
        ("12.5%", "0.12500", "12.50000"),
        ("12.5 %", "0.12500", "12.50000"),
        ("0.05%", "0.00050", "0.05000"),
        ("%5", "0.05000", "5.00000"),
        ("(3%)", "-0.03000", "-3.00000"),
        ("-1,234%", "-12.34000", "-1234.00000"),
        ("100%", "1.00000", "100.00000"),
        ("12.5", "wrong", "12.50000"),
        (12.5, "wrong", "12.50000"),
        ("5%%", "wrong", "wrong"),
        ("%", "wrong", "wrong"),
        ("£5%", "wrong", "wrong"),
    ],
)
def test_a_percentage_becomes_what_the_contract_says(text, fraction, points):
    for percent, meant in (("fraction", fraction), ("points", points)):
        form = {"thousands": ",", "negative": ["(#)"], "percent": percent}
        expected = meant if meant == "wrong" else Decimal(meant)
        assert found([text], "numeric(12,5)", number=form) == [expected]


SPACES = " \u00a0\u2009\u202f"
SEPARATORS = {"": "", ",": ",", ".": ".", " ": SPACES, "'": "'\u2019"}


def slow_number(text: str, form: NumberFormat) -> str | None:
    """The number in a text, by peeling off one sign and one symbol; None if it is not one."""
    symbols = ["%"] if form.percent else list(form.symbols)
    signs = [("+#", ""), ("-#", "-"), (f"{MINUS}#", "-")]
    signs += [(sign, "-") for sign in form.negative]
    signs += [(sign.replace("-", MINUS), "-") for sign in form.negative]
    digits = _peeled(text, symbols, signs, form)
    if digits is None:
        return None
    return str(Decimal(digits).scaleb(-2)) if form.percent == "fraction" else digits


def _peeled(
    text: str, symbols: list[str], signs: list[tuple[str, str]], form: NumberFormat
) -> str | None:
    digits = _digits(text, form)
    if digits is not None:
        # A percentage has its sign; what is left over here was not peeled off.
        return None if symbols and form.percent == "fraction" else digits
    for symbol in symbols:
        rests = [text[len(symbol) :].lstrip(SPACES)] if text.startswith(symbol) else []
        rests += [text[: -len(symbol)].rstrip(SPACES)] if text.endswith(symbol) else []
        for rest in rests:
            if (found := _peeled(rest, [], signs, form)) is not None:
                return found
    for sign, meant in signs:
        before, after = sign.split("#")
        if len(text) > len(sign) - 1 and text.startswith(before) and text.endswith(after):
            rest = text[len(before) : len(text) - len(after)]
            rest = rest.lstrip(SPACES) if before else rest
            rest = rest.rstrip(SPACES) if after else rest
            if (found := _peeled(rest, symbols, [], form)) is not None:
                return f"{meant}{found}"
    return None


def _digits(text: str, form: NumberFormat) -> str | None:
    if text.count(form.decimal) > 1:
        return None
    whole, _, decimals = text.partition(form.decimal)
    if not all(c in "0123456789" for c in decimals) or not (whole + decimals):
        return None
    if not all(c in "0123456789" for c in whole):
        groups = (
            re.split(f"[{re.escape(SEPARATORS[form.thousands])}]", whole) if form.thousands else []
        )
        lengths = [len(group) for group in groups]
        numeric = all(c in "0123456789" for group in groups for c in group)
        if not groups or not numeric or not 1 <= lengths[0] <= 3 or set(lengths[1:]) != {3}:
            return None
        whole = "".join(groups)
    return f"{whole or 0}.{decimals or 0}"


FORMS = st.builds(
    lambda thousands, decimal, symbols, negative, percent: NumberFormat.model_validate(
        {
            "thousands": "" if thousands == decimal else thousands,
            "decimal": decimal,
            "symbols": [] if percent else symbols,
            "negative": negative,
            "percent": percent,
        }
    ),
    st.sampled_from(list(SEPARATORS)),
    st.sampled_from([".", ","]),
    st.sampled_from([[], ["£"], ["£", "GBP"], ["US$", "$"]]),
    st.lists(st.sampled_from(["(#)", "#-", "#CR"]), unique=True, max_size=3),
    st.sampled_from(["", "fraction", "points"]),
)
PIECES = st.sampled_from(
    [
        *(
            "1",
            "12",
            "234",
            "000",
            "5",
            ",",
            ".",
            " ",
            NBSP,
            "'",
            "\u2019",
            "-",
            MINUS,
            "+",
            "(",
            ")",
        ),
        *("£", "GBP", "$", "US$", "CR", "%", "#", "\uff15", "e"),
    ]
)
WRITTEN = st.one_of(
    st.lists(PIECES, max_size=8).map("".join),
    st.builds(
        lambda a, sign, b, whole, part, c, d: f"{a}{sign}{b}{whole}{part}{c}{d}",
        *(st.sampled_from(["", "£", "£ ", "GBP ", "$", "%"]), st.sampled_from(["", "-", "(", "+"])),
        *(st.sampled_from(["", "£", " "]), st.sampled_from(["5", "12", "1,234", "1 234", "1.234"])),
        *(st.sampled_from(["", ".50", ",5", "."]), st.sampled_from(["", ")", "-", " CR", "%"])),
        st.sampled_from(["", " £", "GBP", " %"]),
    ),
)


@given(FORMS, st.lists(WRITTEN, min_size=1, max_size=20))
@example(NumberFormat(symbols=("US$", "$")), ["US$5", "$5", "5US$", "US$$5"])
def test_numbers_are_what_a_slow_reading_finds(form, texts):
    slow = [slow_number(text, form) for text in texts]
    expected = ["wrong" if number is None else Decimal(number) for number in slow]

    assert found(texts, "numeric(38,10)", number=form.model_dump()) == expected


# --- dates and times ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "form", "day"),
    [
        ("01/11/2026", "%d/%m/%Y", "2026-11-01"),
        ("1/11/2026", "%d/%m/%Y", "2026-11-01"),
        ("29/02/2024", "%d/%m/%Y", "2024-02-29"),
        ("29/02/2026", "%d/%m/%Y", "wrong"),
        ("29/02/1900", "%d/%m/%Y", "wrong"),
        ("31/04/2026", "%d/%m/%Y", "wrong"),
        ("00/11/2026", "%d/%m/%Y", "wrong"),
        ("11/13/2026", "%d/%m/%Y", "wrong"),
        ("01/11/0000", "%d/%m/%Y", "wrong"),
        ("01/11/26", "%d/%m/%Y", "wrong"),
        ("01-11-2026", "%d/%m/%Y", "wrong"),
        (" 01/11/2026", "%d/%m/%Y", "wrong"),
        ("01/11/2026\n", "%d/%m/%Y", "wrong"),
        ("01/11/2026 00:00", "%d/%m/%Y", "wrong"),
        ("01/11/2026 00:00", "%d/%m/%Y 00:00", "2026-11-01"),
        ("01/11/2026 00:01", "%d/%m/%Y 00:00", "wrong"),
        ("2026-11-01", "%d/%m/%Y", "wrong"),
        ("", "%d/%m/%Y", "wrong"),
        ("\uff10\uff11/11/2026", "%d/%m/%Y", "wrong"),
        ("\u0660\u0661/11/2026", "%d/%m/%Y", "wrong"),
        ("20261101", "%Y%m%d", "2026-11-01"),
        (20261101, "%Y%m%d", "2026-11-01"),
        (20261101.0, "%Y%m%d", "wrong"),
        (True, "%Y%m%d", "wrong"),
        ("2026111", "%Y%m%d", "wrong"),
        (1112026, "%d%m%Y", "wrong"),
        ("1 November 2026", "%d %B %Y", "2026-11-01"),
        ("1 NOVEMBER 2026", "%d %B %Y", "2026-11-01"),
        ("1 Nov 2026", "%d %B %Y", "wrong"),
        ("01-nov-2026", "%d-%b-%Y", "2026-11-01"),
        ("1Sep2026", "%d%b%Y", "2026-09-01"),
        ("1 Sept 2026", "%d %b %Y", "2026-09-01"),
        ("1 \u017fep 2026", "%d %b %Y", "wrong"),
        ("1 janvier 2026", "%d %B %Y", "wrong"),
        ("Sunday, 1 November 2026", "%A, %d %B %Y", "2026-11-01"),
        ("Monday, 1 November 2026", "%A, %d %B %Y", "wrong"),
        ("Sun 01 Nov 2026", "%a %d %b %Y", "2026-11-01"),
        ("100% 01/11/2026", "100%% %d/%m/%Y", "2026-11-01"),
        ("(01.11.2026)", "(%d.%m.%Y)", "2026-11-01"),
        ("(01x11x2026)", "(%d.%m.%Y)", "wrong"),
    ],
)
def test_a_date_is_read_only_in_the_declared_format(text, form, day):
    expected = day if day == "wrong" else date.fromisoformat(day)
    assert found([text], "date", format=form) == [expected]


def test_two_digits_of_a_year_are_in_the_declared_hundred_years():
    values = ["1/1/70", "1/1/69", "1/1/00", "1/1/99", "1/1/1970"]

    assert found(values, "date", format="%d/%m/%y", two_digit_years_from=1970) == [
        date(1970, 1, 1), date(2069, 1, 1), date(2000, 1, 1), date(1999, 1, 1), "wrong",
    ]  # fmt: skip


def test_several_formats_are_read_if_they_agree():
    either = ["%d/%m/%Y", "%m/%d/%Y", "%Y-%m-%d"]

    values = ["25/12/2026", "12/25/2026", "2026-12-25", "03/04/2026", "03/03/2026", "30/02/2026"]

    christmas = date(2026, 12, 25)
    assert found(values, "date", format=either) == [
        *([christmas] * 3), "wrong", date(2026, 3, 3), "wrong",
    ]  # fmt: skip


LONDON = "Europe/London"


@pytest.mark.parametrize(
    ("text", "form", "zone", "moment"),
    [
        ("01/07/2026 13:05", "%d/%m/%Y %H:%M", LONDON, "2026-07-01T12:05:00"),
        ("1/7/2026 9:05", "%d/%m/%Y %H:%M", LONDON, "2026-07-01T08:05:00"),
        ("01/12/2026 13:05:09", "%d/%m/%Y %H:%M:%S", LONDON, "2026-12-01T13:05:09"),
        ("01/07/2026 24:00", "%d/%m/%Y %H:%M", LONDON, "wrong"),
        ("01/07/2026 23:60", "%d/%m/%Y %H:%M", LONDON, "wrong"),
        ("01/07/2026 23:59:60", "%d/%m/%Y %H:%M:%S", LONDON, "wrong"),
        ("29/03/2026 01:30", "%d/%m/%Y %H:%M", LONDON, "zone"),
        ("25/10/2026 01:30", "%d/%m/%Y %H:%M", LONDON, "zone"),
        ("25/10/2026 01:30 +0100", "%d/%m/%Y %H:%M %z", "", "2026-10-25T00:30:00"),
        ("25/10/2026 01:30 Z", "%d/%m/%Y %H:%M %z", "", "2026-10-25T01:30:00"),
        ("25/10/2026 01:30 BST", "%d/%m/%Y %H:%M %z", "", "wrong"),
        ("01/07/2150 13:05", "%d/%m/%Y %H:%M", LONDON, "year"),
        ("01/07/2150 13:05", "%d/%m/%Y %H:%M", "UTC", "2150-07-01T13:05:00"),
        ("01/07/2026 12:00 AM", "%d/%m/%Y %I:%M %p", "UTC", "2026-07-01T00:00:00"),
        ("01/07/2026 12:00 pm", "%d/%m/%Y %I:%M %p", "UTC", "2026-07-01T12:00:00"),
        ("01/07/2026 1:00 PM", "%d/%m/%Y %I:%M %p", "UTC", "2026-07-01T13:00:00"),
        ("01/07/2026 13:00 PM", "%d/%m/%Y %I:%M %p", "UTC", "wrong"),
        ("01/07/2026 0:00 AM", "%d/%m/%Y %I:%M %p", "UTC", "wrong"),
        ("20260701T130509.25Z", "%Y%m%dT%H%M%S.%fZ", "UTC", "2026-07-01T13:05:09.250000"),
        ("20260701 130509.1234567", "%Y%m%d %H%M%S.%f", "UTC", "fraction"),
        ("20260701 130509.1234560", "%Y%m%d %H%M%S.%f", "UTC", "2026-07-01T13:05:09.123456"),
    ],
)
def test_a_time_is_read_in_the_declared_format_and_zone(text, form, zone, moment):
    try:
        expected: Any = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    except ValueError:
        expected = moment
    assert found([text], "timestamptz", format=form, zone=zone) == [expected]


SEPARATED = ["%d/%m/%Y", "%Y-%m-%d", "%d.%m.%Y", "%d %b %Y", "%d-%B-%Y", "%Y%m%d", "%d/%m/%y"]
TIMES = ["%H:%M", "%H:%M:%S", "%H.%M", "%I:%M %p", "%H:%M:%S.%f"]


@given(
    st.sampled_from(SEPARATED),
    st.sampled_from(TIMES),
    st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2069, 12, 31)),
)
def test_what_strftime_writes_is_read_back(day, time, moment):
    form = f"{day} {time}"
    text = moment.strftime(form)
    meant = datetime.strptime(text, form).replace(tzinfo=UTC)
    if "%y" in form:
        meant = meant.replace(year=moment.year)
    years = {"two_digit_years_from": 1970} if "%y" in form else {}

    assert found([text], "timestamptz", format=form, zone="UTC", **years) == [meant]


LIKE_DATES = st.text("0123456789/-. JanNovSept", max_size=12) | st.builds(
    lambda d, m, y, mark: f"{d}{mark}{m}{mark}{y}",
    st.integers(0, 33),
    st.one_of(st.integers(0, 14).map(str), st.sampled_from(["Jan", "nov", "SEPT", "Sep", "May"])),
    st.sampled_from(["2026", "2024", "26", "0000", "9999", "10000"]),
    st.sampled_from(["/", "-", " ", ""]),
)


@given(st.lists(LIKE_DATES, min_size=1, max_size=20), st.sampled_from(["%d/%m/%Y", "%d %b %Y"]))
def test_dates_are_what_strptime_finds(texts, form):
    expected: list[Any] = []
    for text in texts:
        try:
            if text != text.strip() or "  " in text:
                raise ValueError(text)
            strict = re.sub(r"(?i)\bsept\b", "Sep", text) if "%b" in form else text
            expected.append(datetime.strptime(strict, form).date())
        except ValueError:
            expected.append("wrong")

    assert found(texts, "date", format=form) == expected


# --- epochs ---------------------------------------------------------------------------------------


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "form", "moment"),
    [
        (1793534700, "epoch", at("2026-11-01T12:05:00")),
        ("1793534700", "epoch", at("2026-11-01T12:05:00")),
        (1793534700123, "epoch_ms", at("2026-11-01T12:05:00.123")),
        ("1793534700123", "epoch_ms", at("2026-11-01T12:05:00.123")),
        (1793534700.5, "epoch", at("2026-11-01T12:05:00.5")),
        ("1793534700.123456", "epoch", at("2026-11-01T12:05:00.123456")),
        ("1793534700123.4567", "epoch_ms", "fraction"),
        ("1793534700123.4560", "epoch_ms", at("2026-11-01T12:05:00.123456")),
        (0, "epoch", at("1970-01-01T00:00:00")),
        (-1, "epoch", at("1969-12-31T23:59:59")),
        ("-0.5", "epoch", at("1969-12-31T23:59:59.5")),
        (-62135596800, "epoch", at("0001-01-01T00:00:00")),
        (-62135596801, "epoch", "year"),
        (253402300799, "epoch", at("9999-12-31T23:59:59")),
        (253402300800, "epoch", "year"),
        (1793534700123, "epoch", "year"),
        (10**30, "epoch", "year"),
        (f"{10**30}", "epoch_ms", "year"),
        ("9" * 5000, "epoch", "wrong"),
        ("1.7e9", "epoch", "wrong"),
        (1.7e9, "epoch", at("2023-11-14T22:13:20")),
        ("", "epoch", "wrong"),
        (" 1", "epoch", "wrong"),
        ("1,793", "epoch", "wrong"),
        ("\uff11", "epoch", "wrong"),
        (True, "epoch", "wrong"),
        ([1], "epoch", "wrong"),
        (float("nan"), "epoch", "wrong"),
        ("2026-11-01T12:05:00Z", "epoch", "wrong"),
        (None, "epoch", None),
    ],
)
def test_an_epoch_is_a_time_or_breaks_a_rule(value, form, moment):
    assert found([value], "timestamptz", format=form) == [moment]
    assert found([value, 0, "0"], "timestamptz", format=form)[0] == moment


@pytest.mark.parametrize(("fraction", "microsecond"), [("truncate", 0), ("round", 1)])
def test_an_epoch_with_more_digits_is_cut_or_rounded_as_declared(fraction, microsecond):
    (moment,) = found(["0.0000005"], "timestamptz", format="epoch", fraction=fraction)
    assert moment == datetime(1970, 1, 1, 0, 0, 0, microsecond, tzinfo=UTC)


def test_an_epoch_is_a_date_only_at_midnight():
    days = [1782864000, 1782860400, "1782864000.000", "1782864000.5", 1782864001, 10**15]

    assert found(days, "date", format="epoch") == [
        date(2026, 7, 1), "wrong", date(2026, 7, 1), "wrong", "wrong", "year",
    ]  # fmt: skip
    assert found(days[:2], "date", format="epoch", zone=LONDON) == ["wrong", date(2026, 7, 1)]
    assert found([5680281600], "date", format="epoch", zone=LONDON) == ["year"]


@given(st.integers(-(10**13), 10**13), st.sampled_from(["epoch", "epoch_ms"]), st.integers(0, 8))
def test_an_epoch_is_exactly_so_long_after_1970(count, form, decimals):
    text = f"{Decimal(count).scaleb(-decimals):f}"
    micro = Decimal(text) * (10**6 if form == "epoch" else 10**3)
    try:
        expected: Any = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(micro))
    except OverflowError:
        expected = "year"
    expected = expected if micro == int(micro) else "fraction"

    assert found([text], "timestamptz", format=form) == [expected]


# --- booleans and clean texts ---------------------------------------------------------------------


def test_a_boolean_is_read_by_its_words():
    words = {"true_values": ["Y", "yes", "1"], "false_values": ["N", "no", "0"]}

    values = [
        "Y",
        "yes",
        "N",
        "no",
        "y",
        "Yes",
        "",
        " Y",
        True,
        False,
        "true",
        "false",
        1,
        0,
        2,
        None,
    ]

    assert found(values, "boolean", **words) == [
        *(True, True, False, False, "wrong", "wrong", "wrong", "wrong"),
        *(True, False, True, False, True, False, "wrong", None),
    ]


@pytest.mark.parametrize(
    ("steps", "text", "clean"),
    [
        (["trim"], f"\t a  b{NBSP}\r\n", "a  b"),
        (["upper"], "straße", "STRASSE"),
        (["lower"], "ÀB", "àb"),
        (["nfc"], "e\u0301", "é"),
        (["nfc"], "\uff11\uff12", "\uff11\uff12"),
        (["nfkc"], f"\uff11\uff12{NBSP}\ufb01", "12 fi"),
        (["nfkc", "trim", "lower"], f"{NBSP}\uff21B ", "ab"),
        (["trim"], "   ", ""),
    ],
)
def test_a_text_is_cleaned_before_it_is_read(steps, text, clean):
    batch = read(contract(column("a", clean=steps)), text, clean, None, 7)

    assert batch.arrays["a"].to_pylist()[:3] == [clean, clean, None]
    assert [(item.index, item.rule) for item in batch.broken] == [(3, "type")]


def test_clean_texts_are_compared_with_nulls_lists_and_rules():
    source = contract(
        column(
            "a", clean=["trim", "upper"], null_values=["n/a", ""], pattern="[A-Z]+", allowed=["A"]
        )
    )

    batch = read(source, " a ", "N/A", "   ", "b", "1", None)

    assert batch.arrays["a"].to_pylist() == ["A", None, None, "B", "1", None]
    assert [(item.index, item.rule) for item in batch.broken] == [(3, "allowed"), (4, "allowed")]
    several = contract(column("a", list_value="last", list_separator="|", clean=["trim"]))
    assert read(several, "x | y ").arrays["a"].to_pylist() == ["y"]


def test_texts_that_are_equal_when_clean_have_one_pseudonym_and_one_key():
    source = contract(
        column("a", clean=["trim", "lower", "nfc"], personal="pseudonymise"), retention_days=30
    )

    batch = read(source, "Zoe\u0301@X.org", " zoé@x.ORG", "other")

    one, same, other = batch.arrays["a"].to_pylist()
    assert one == same != other
    assert batch.rows[0].tolist() == batch.rows[1].tolist() != batch.rows[2].tolist()


def test_converted_values_are_compared_with_nulls_limits_and_the_key():
    source = contract(
        column(
            "a", "numeric(9,2)", number=MONEY, minimum=-5, clean=["trim"], null_values=["-", 999]
        ),
        key=["a"],
    )

    batch = read(source, "£1,000", "1000.00", "(6)", " - ", "999.00", "£999", "x")

    assert batch.arrays["a"].to_pylist()[:6] == [1000, 1000, -6, None, None, None]
    assert batch.keys[0] == batch.keys[1] != batch.keys[2]
    assert [(item.index, item.rule, item.value) for item in batch.broken] == [
        (2, "minimum", '"(6)"'),
        (6, "type", '"x"'),
    ]


def test_a_value_that_does_not_convert_is_shown_with_what_was_expected():
    source = contract(
        column("a", "date", format="%d/%m/%Y"), column("b", "integer", number={"thousands": ","})
    )
    records = [{"a": "2026-11-01"}, {"b": "1,23,4"}]

    batch = Reader(source).read(records, [1, 2], [({}, 2)])

    assert batch.differences == {
        ("a", "type"): 'expected date written as %d/%m/%Y at `a`, found text "2026-11-01"',
        ("b", "type"): 'expected integer written like 1,234 at `b`, found text "1,23,4"',
    }


@pytest.mark.parametrize(
    ("kind", "words", "values"),
    [
        ("date", {"format": "%d/%m/%Y"}, ["01/11/2026", "x", "31/12/2026"]),
        ("numeric(9,2)", {"number": MONEY}, ["£1,234.50", "x", "(5)"]),
        ("boolean", {"true_values": ["Y"], "false_values": ["N"]}, ["Y", "x", "N"]),
        ("timestamptz", {"format": "epoch_ms"}, ["1793534700123", "x", "0"]),
    ],
)
def test_repeated_texts_are_the_same_values(kind, words, values):
    often, once = cast(values * 200, kind, **words), cast(values, kind, **words)

    assert often.array.to_pylist() == once.array.to_pylist() * 200
    assert often.hashes.tolist() == once.hashes.tolist() * 200
    assert often.wrong.tolist() == once.wrong.tolist() * 200


def test_half_a_character_breaks_the_rule_of_its_record_only():
    sent = parsed(b'["\\ud800", "01/11/2026", 5]')
    assert found(sent, "date", format="%d/%m/%Y") == ["wrong", date(2026, 11, 1), "wrong"]


@pytest.mark.parametrize(
    ("words", "value", "text"),
    [
        ({"type": "date", "format": "%d/%m/%Y"}, "1/11/2026", "2026-11-01"),
        ({"type": "numeric(9,2)", "number": MONEY}, "£1,234.50", "1234.50"),
        ({"type": "boolean", "true_values": ["Y"]}, "Y", "true"),
        ({"type": "text", "clean": ["upper"]}, "a", "A"),
        ({"type": "text"}, "a", "a"),
        ({"type": "date", "format": "%d/%m/%Y"}, "soon", "soon"),
        ({"type": "timestamptz", "format": "epoch"}, "5", "5"),
    ],
)
def test_one_value_is_found_as_it_is_stored(words, value, text):
    assert plain(Column.model_validate(column("a") | words), value) == text


@given(st.text(max_size=8), st.permutations(["trim", "lower", "nfc"]))
def test_clean_texts_are_normalised_texts_of_python(text, steps):
    (made,) = (
        read(contract(column("a", clean=steps)), text.replace("\0", "")).arrays["a"].to_pylist()
    )
    expected = text.replace("\0", "")
    ways = {"trim": str.strip, "lower": str.lower, "nfc": lambda t: unicodedata.normalize("NFC", t)}
    for step in steps:
        expected = ways[step](expected)
    assert made == expected
