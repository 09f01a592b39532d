"""Files as councils publish them: what a draft makes of titles, totals, encodings and notations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from include.definitions import read_definition
from include.errors import PermanentError, UnexpectedPayload
from include.jobs.author import new_source as job
from include.jobs.author.inbox import inbox_of
from include.jobs.author.samples.answer import read_sample
from include.jobs.author.samples.csv_layout import layout_of
from include.jobs.author.samples.notations import notation_of
from include.sources.limits import Limits
from include.sources.model import Contract

SPEND = """\
Kingston upon Thames \u2013 payments over £500,,,,
,,,,
Supplier,Ref,Paid on,Net,Contract?
"Café Müller, Ltd",0012,01/11/2026,"£1,234.50",Y
Ada & Sons,0013,13/11/2026,(£12.00),N
Ada & Sons,0014,14/11/2026,£600,Y
Total,,,"£1,822.50",
Source: finance
"""


@pytest.fixture
def places(tmp_path, monkeypatch) -> Path:
    """Contracts and models of a test are written below its own folder."""
    monkeypatch.setattr("include.transform.staging.STAGING", tmp_path / "staging")
    monkeypatch.setattr(job, "sync", list)
    return tmp_path


def drafted(places: Path, content: bytes, **options: Any) -> tuple[Contract, str]:
    file = places / "spend.csv"
    file.write_bytes(content)
    found = job.new_source(
        "spend",
        url="",
        file=file,
        period="month",
        options=job.Options(**options),
        folder=places,
    )
    return read_definition(places / "spend.yaml", Contract), "\n".join(found.remarks)


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8-sig"])
def test_a_file_of_payments_is_read_with_titles_total_dates_and_pounds(places, encoding):
    made, said = drafted(places, SPEND.encode(encoding))

    assert made.format.skip_rows_before_header == 2
    assert made.format.skip_rows_at_end == 2
    assert made.format.encoding == ("cp1252" if encoding == "cp1252" else "")
    columns = {column.name: column for column in made.columns}
    assert columns["ref"].type == "text"
    assert (columns["paid_on"].type, columns["paid_on"].format) == ("date", ("%d/%m/%Y",))
    net = columns["net"]
    assert (net.type, net.number.symbols, net.number.thousands) == ("numeric(18,2)", ("£",), ",")
    assert net.number.negative == ("(#)",)
    assert (columns["contract"].true_values, columns["contract"].false_values) == (("Y",), ("N",))
    assert "Lines skipped above the header: 2, `Kingston upon Thames" in said
    assert "Lines skipped below the records: 2, `Total,,," in said
    assert ("Windows-1252" in said) == (encoding == "cp1252")


def test_dates_that_can_be_read_both_ways_are_asked_about(places):
    content = b"id,paid\n1,03/04/2026\n2,05/06/2026\n"

    choices = r"`paid` is ambiguous.*--dates: one of day-first, month-"
    with pytest.raises(PermanentError, match=choices):
        drafted(places, content)
    made, _ = drafted(places, content, dates="month-first")

    assert made.column("paid").format == ("%m/%d/%Y",)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2\n", {"delimiter": ","}),
        ("a;b\n1,5;2\n", {"delimiter": ";"}),
        ("a\tb, c\n1\t2\n", {"delimiter": "\t"}),
        ("Title\n\na,b\n1,2\n3,4\n", {"skip_rows_before_header": 2}),
        ("Title,\na,b\n1,2\n3,4\n", {"skip_rows_before_header": 1}),
        ('"Title\nof two lines",\na,b\n1,2\n3,4\n', {"skip_rows_before_header": 2}),
        ("a,b\n1,2\n3,4\nTotal,\n", {"skip_rows_at_end": 1}),
        ("a,b\n1,2\n3,4\n\nEnd of report\n\n", {"skip_rows_at_end": 3}),
        ("a,b\r1,2\r3,4\rSum:,\r", {"skip_rows_at_end": 1}),
    ],
)
def test_a_layout_is_recognised_by_the_lines_that_have_the_same_number_of_cells(text, words):
    found = layout_of(text).format

    assert {name: found.get(name) for name in words} == words


@pytest.mark.parametrize(
    "text",
    [
        "a,b\n1,2\nTotal eclipse,4\n",  # every cell is filled: a record
        "a,b\n1,2\n,\n",  # a record of nothing is one, too
        'a,b\n1,2\n3,"4\n5"\n',  # the last line is a part of a row
    ],
)
def test_a_record_is_not_taken_for_a_line_below_the_records(text):
    assert "skip_rows_at_end" not in layout_of(text).format


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["1 Nov 2026", "12 Dec 2026"], {"type": "date", "format": "%d %b %Y"}),
        (["31/01/2026 00:00"], {"type": "date", "format": "%d/%m/%Y 00:00"}),
        (
            ["31/01/2026 09:05"],
            {"type": "timestamptz", "format": "%d/%m/%Y %H:%M", "zone": "UTC"},
        ),
        (
            ["31/01/26"],
            {"type": "date", "format": "%d/%m/%y", "two_digit_years_from": 1970},
        ),
        (["1,234", "5"], {"type": "numeric(18,0)", "number": {"thousands": ","}}),
        (["12.5%"], {"type": "numeric(18,1)", "number": {"percent": "points"}}),
        ([" £5 "], {"clean": ["trim"], "type": "numeric(18,2)", "number": {"symbols": ["£"]}}),
        (["Yes", "no"], {"type": "boolean", "true_values": ["Yes"], "false_values": ["no"]}),
    ],
)
def test_a_notation_is_expressed_as_options_of_a_column(texts, words):
    assert notation_of(texts).words == words


@pytest.mark.parametrize(
    "texts",
    [
        ["007", "12"],
        ["Y", "Y"],
        ["Y", "N", "?"],
        ["31/02/2026"],
        ["31/01/2026", "n/a"],
        ["1,23"],
        ["(5"],
        ["£5", "5%"],
        ["12 34"],
        [],
    ],
)
def test_texts_in_no_notation_stay_text(texts):
    assert notation_of(texts) is None


def test_a_sample_beyond_the_limit_is_refused_before_it_is_read(places, monkeypatch):
    monkeypatch.setattr(job, "MOST_BYTES", 10)

    with pytest.raises(PermanentError, match=r"larger than 10 bytes, the limit of a sample"):
        drafted(places, b"id,paid\n1,03/04/2026\n")


def test_a_packed_sample_beyond_the_limit_is_refused(monkeypatch):
    import gzip

    monkeypatch.setattr("include.jobs.author.samples.answer.LIMITS", Limits(answer_bytes=2**20))

    with pytest.raises(UnexpectedPayload, match=r"a sample is at most"):
        read_sample(gzip.compress(b"id,paid\n" + b"1,2\n" * 10**6))


@pytest.mark.parametrize(
    ("name", "period", "pattern", "first"),
    [
        (
            "Spend kingston 2026-11.csv",
            "month",
            r"Spend\ kingston",
            "2026-11-01",
        ),
        ("payments_over_500_Nov_2026.csv", "month", r"payments_over_500_{period:%b_%Y}\.csv", None),
        ("spend-2026-11-03.csv", "day", r"spend\-{period:%Y-%m-%d}\.csv", "2026-11-03"),
        ("spend2026.csv", "year", r"spend{period:%Y}\.csv", "2026-01-01"),
    ],
)
def test_a_period_in_the_name_of_a_file_makes_an_inbox(places, name, period, pattern, first):
    found = inbox_of(name, period)

    assert pattern.replace(r"\ kingston", " {council.name}") in found.pattern.replace(r"\ ", " ")
    assert first is None or str(found.first_day) == first


@pytest.mark.parametrize("name", ["spend.csv", "spend-20261.csv", "spend-2026-13.csv"])
def test_a_name_without_a_period_makes_none(name):
    assert inbox_of(name, "month") is None


def test_an_invalid_pattern_is_refused():
    with pytest.raises(PermanentError, match=r"--pattern \{x\}\.csv: unknown placeholder \{x\}"):
        inbox_of("spend.csv", "month", "{x}.csv")
