"""What can be known when a contract is read is refused when it is read, with file, line and field.

Each case here used to be read, and failed later: in Airflow, at a fetch, at a load, in a migration.
"""

from __future__ import annotations

import zoneinfo
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
import yaml
from croniter import croniter
from hypothesis import example, given
from hypothesis import strategies as st

from include.councils.model import Point
from include.definitions import read_definition
from include.errors import WrongDefinition
from include.extract.requests import Ask, asks, context_of, lacking, request_of
from include.sources import syntax
from include.sources.columns import Column
from include.sources.extract.templates import check_formats, fill
from include.sources.model import Contract, contracts
from include.sources.partition import Partition, Period
from include.warehouse.columns.cast import full_match, typed_as
from tests.samples import column, contract_fields, council, extracting

PARENT = {"source": "gauges", "each": "{id}"}
KINDS = {"kind": ["rain", "level"]}


def of_api(**changes: Any) -> dict[str, Any]:
    return {"extract": extracting(**changes)}


def of_request(text: str, **changes: Any) -> dict[str, Any]:
    return of_api(request={"path": "/gauges", "query": {"q": text}}, **changes)


def of_columns(*columns: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"columns": list(columns), "key": [], **changes}


def of_archive(**changes: Any) -> dict[str, Any]:
    return of_api(archive={"from_age_days": 10, "request": {"path": "/old"}, **changes})


def of_database(**changes: Any) -> dict[str, Any]:
    database = {"kind": "database", "connection": "cases", "query": "select 1", "key": "id"}
    return {"extract": database | changes}


NUMERIC, AT = {"type_name": "numeric(9,2)"}, {"type_name": "timestamptz", "zone": "Europe/London"}
DATE, FLAG = {"type_name": "date"}, {"type_name": "boolean"}
CONVERSIONS: list[tuple[str, dict[str, Any]]] = [
    ("format", {"format": "%d/%m/%Y"}),
    ("format", NUMERIC | {"format": "epoch"}),
    ("format", DATE | {"format": ""}),
    ("format", DATE | {"format": "%d/%m"}),
    ("format", DATE | {"format": "%d/%Y"}),
    ("format", DATE | {"format": "%B %Y"}),
    ("format", DATE | {"format": "%d/%d/%m/%Y"}),
    ("format", DATE | {"format": "%d %b %m %Y"}),
    ("format", DATE | {"format": "%d/%m/%Y %"}),
    ("format", DATE | {"format": "%-d/%m/%Y"}),
    ("format", DATE | {"format": "%d/%m/%Y %H:%M"}),
    ("format", DATE | {"format": "%d/%m/%y"}),
    ("format", DATE | {"format": "EPOCH"}),
    ("format", DATE | {"format": ["epoch", "%d/%m/%Y"]}),
    ("format.1", DATE | {"format": ["%d/%m/%Y", "%d/%m/%Y"]}),
    ("format.1", DATE | {"format": ["%d/%m/%Y", "%d/%m"]}),
    ("two_digit_years_from", DATE | {"two_digit_years_from": 1970}),
    ("two_digit_years_from", DATE | {"format": "%d/%m/%Y", "two_digit_years_from": 1970}),
    ("zone", DATE | {"format": "%d/%m/%Y", "zone": "Europe/London"}),
    ("format", AT | {"format": "%d/%m/%Y"}),
    ("format", AT | {"format": "%d/%m/%Y %H"}),
    ("format", AT | {"format": "%d/%m/%Y %I:%M"}),
    ("format", AT | {"format": "%d/%m/%Y %H:%M %p"}),
    ("format", AT | {"format": "%d/%m/%Y %H %I:%M %p"}),
    ("format", AT | {"format": "%d/%m/%Y %M"}),
    ("format", AT | {"format": "%d/%m/%Y %H:%S"}),
    ("format", AT | {"format": "%d/%m/%Y %H:%M.%f"}),
    ("format", AT | {"format": "%H:%M:%S.%f%d/%m/%Y"}),
    ("format", AT | {"format": "%d/%m/%Y %H:%M", "zone": ""}),
    ("zone", AT | {"format": "%d/%m/%Y %H:%M %z"}),
    ("zone", AT | {"format": "epoch"}),
    ("number", {"number": {"thousands": ","}}),
    ("number", {"type_name": "integer", "position": True, "number": {"thousands": ","}}),
    ("number.thousands", NUMERIC | {"number": {"thousands": ";"}}),
    ("number.thousands", NUMERIC | {"number": {"thousands": "."}}),
    ("number.decimal", NUMERIC | {"number": {"decimal": ";"}}),
    ("number.symbols", NUMERIC | {"number": {"symbols": [""]}}),
    ("number.symbols", NUMERIC | {"number": {"symbols": ["£ "]}}),
    ("number.symbols", NUMERIC | {"number": {"symbols": ["-"]}}),
    ("number.symbols", NUMERIC | {"number": {"symbols": ["m2"]}}),
    ("number.symbols", NUMERIC | {"number": {"symbols": ["%"]}}),
    ("number.symbols", NUMERIC | {"number": {"symbols": ["£"], "percent": "points"}}),
    ("number.symbols.0", NUMERIC | {"number": {"symbols": ["Rs."]}}),
    ("number.symbols.0", NUMERIC | {"number": {"symbols": ["CR"], "negative": ["#CR"]}}),
    ("number.negative", NUMERIC | {"number": {"negative": ["-#"]}}),
    ("number.negative", NUMERIC | {"number": {"negative": ["#"]}}),
    ("number.negative", NUMERIC | {"number": {"negative": ["+#"]}}),
    ("number.negative", NUMERIC | {"number": {"negative": ["(# )"]}}),
    ("number.negative", NUMERIC | {"number": {"negative": ["##-"]}}),
    ("number.percent", NUMERIC | {"number": {"percent": "half"}}),
    ("list_separator", NUMERIC | {"number": {"thousands": ","}, "list_separator": ","}),
    ("true_values", {"true_values": ["Y"]}),
    ("false_values", NUMERIC | {"false_values": ["N"]}),
    ("true_values.0", FLAG | {"true_values": [True]}),
    ("true_values.0", FLAG | {"true_values": ["false"]}),
    ("true_values.1", FLAG | {"true_values": ["Y", "Y"]}),
    ("true_values.0", FLAG | {"true_values": ["y"], "clean": ["upper"]}),
    ("false_values.0", FLAG | {"true_values": ["Y"], "false_values": ["Y"]}),
    ("false_values.0", FLAG | {"false_values": [""], "null_values": [""]}),
    ("clean", {"type_name": "jsonb", "clean": ["trim"]}),
    ("clean", {"type_name": "integer", "position": True, "clean": ["trim"]}),
    ("clean", {"clean": ["upper", "lower"]}),
    ("clean", {"clean": ["nfc", "nfkc"]}),
    ("clean.1", {"clean": ["trim", "trim"]}),
    ("clean.0", {"clean": ["strip"]}),
]


PLAIN = {"path": "/gauges"}
OLD = {"from_age_days": 10, "request": PLAIN}
BOUND = "select 1 where at >= %(period_start)s"


def whole(**changes: Any) -> dict[str, Any]:
    return {"period": "all", **of_api(request=PLAIN), **changes}


def hourly(text: str) -> dict[str, Any]:
    return {"period": "hour", **of_request(text)}


Q = "extract.request.query.q"
REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("schedule", {"schedule": "0 25 * * *"}),
    ("schedule", {"schedule": "0 0 30 2 *"}),
    ("schedule", {"schedule": "0 0 * * 8"}),
    ("schedule", {"schedule": "0 0 * * mondays"}),
    ("schedule", {"schedule": "H 4 * * *"}),
    ("schedule", {"schedule": "*/0 4 * * *"}),
    ("schedule", {"schedule": "5-1 4 * * *"}),
    ("publisher", {"publisher": "x" * 101}),
    ("snapshot", whole(snapshot=True)),
    ("lookback", whole(lookback=1)),
    ("lookback_monthly", whole(lookback_monthly=1)),
    ("publication_lag_days", whole(publication_lag_days=1)),
    (Q, {"period": "all", **of_request("{period:%Y-%m}")}),
    (Q, {"period": "all", **of_request("{period.last}")}),
    ("columns.0.request", {**whole(), **of_columns(column("a", request="period"))}),
    ("extract.archive", {"period": "all", **of_api(request=PLAIN, archive=OLD)}),
    ("extract.window_minutes", {"period": "all", **of_api(request=PLAIN, window_minutes=60)}),
    ("extract.query", {"period": "all", **of_database(query=BOUND)}),
    ("extract.changed", {"period": "all", **of_database(changed="at")}),
    ("lookback_monthly", {**hourly("{period:%Y-%m-%dT%H}"), "lookback_monthly": 1}),
    (Q, hourly("{period}")),
    (Q, hourly("{period.next}T00")),
    ("extract.request", hourly("{period:%Y-%m-%d}")),
    ("start", {"period": "financial_year", "start": "0001-03-31"}),
    ("publication_lag_days", {"publication_lag_days": 10**10}),
    ("retention_days", {"retention_days": 10**10}),
    ("columns.0.pattern", of_columns(column("a", pattern="(?=a)a"))),
    ("columns.0.pattern", of_columns(column("a", pattern=r"(a)\1"))),
    ("columns.0.pattern", of_columns(column("a", pattern="a++"))),
    ("columns.0.pattern", of_columns(column("a", pattern="a{1001}"))),
    ("columns.0.pattern", of_columns(column("a", pattern="(?:a{100}){11}"))),
    ("columns.0.pattern", of_columns(column("a", pattern=r"a\Z"))),
    ("columns.0.pattern", of_columns(column("a", pattern=r"\u00e9"))),
    ("columns.0.pattern", of_columns(column("a", pattern="("))),
    ("columns.0.zone", of_columns(column("a", "timestamptz", zone="Europe/Londn"))),
    ("columns.0.zone", of_columns(column("a", "timestamptz", zone="Factory"))),
    ("columns.0.zone", of_columns(column("a", "timestamptz", zone="Europe"))),
    ("columns.0.zone", of_columns(column("a", zone="UTC"))),
    ("columns.0.path", of_columns(column("a", path="a..b"))),
    ("columns.0.maximum", of_columns(column("a", "integer", minimum=2, maximum=1))),
    ("columns.0.minimum", of_columns(column("a", "double", minimum=float("inf")))),
    ("columns.0.minimum", of_columns(column("a", "double", minimum=10**309))),
    ("columns.0.maximum", of_columns(column("a", "integer", minimum=1, maximum=-(10**400)))),
    ("columns.0.allowed.1", of_columns(column("a", allowed=["on", True]))),
    ("columns.0.allowed.0", of_columns(column("a", "integer", allowed=["one"]))),
    ("columns.0.allowed.0", of_columns(column("a", "numeric(4,2)", allowed=[123.4]))),
    (
        "columns.0.allowed.0",
        of_columns(column("a", "numeric(38,9)", allowed=[f"{10**28}.1234567891"])),
    ),
    ("columns.0.allowed.0", of_columns(column("a", "date", allowed=["31/05/2017"]))),
    ("columns.0.allowed.0", of_columns(column("a", "timestamptz", allowed=["2017-05-01T00:00"]))),
    ("columns.0.allowed.0", of_columns(column("a", "jsonb", allowed=["a"]))),
    ("columns.0.allowed.0", of_columns(column("a", allowed=["a"], clean=["upper"]))),
    *((f"columns.0.{field}", of_columns(column("a", **words))) for field, words in CONVERSIONS),
    ("columns.0.request", of_columns(column("a", request="council.nme"))),
    ("columns.1.name", of_columns(column("a"), column("a"))),
    ("key.0", {"key": ["nr"]}),
    ("key.1", {"key": ["id", "id"]}),
    # Airflow cannot count the runs before or after.
    ("start", {"start": "0001-01-01"}),
    ("start", {"start": "9999-12-31"}),
    ("format.select.among", {"format": {"select": {"field": "id", "among": "ids"}}}),
    ("format.select.field", {"format": {"select": {"field": "a..b", "among": "council.name"}}}),
    ("format.select.field", {"format": {"select": {"field": "", "among": "council.name"}}}),
    ("format.encoding", {"format": {"encoding": "undefined"}}),
    ("format.encoding", {"format": {"encoding": "idna"}}),
    ("format.quote", {"format": {"kind": "csv", "delimiter": '"'}}),
    ("format.delimiter", {"format": {"kind": "csv", "delimiter": "\n"}}),
    ("columns.0.path", of_columns(column("a", path="a.b"), format={"kind": "csv"})),
    (
        "format.select.field",
        {"format": {"kind": "csv", "select": {"field": "a.b", "among": "period"}}},
    ),
    (Q, of_request("{period:YYYY-MM}")),
    (Q, of_request("{period:%Q}")),
    (Q, of_request("{council.name:%Y}")),
    (Q, of_request("{council.latitude:%Y}")),
    (Q, of_request("{council.latitude:d}")),
    (Q, of_request("{period!z}")),
    (Q, of_request("{period:{period}}")),
    (Q, of_request("{council.name:9999999999}")),
    (
        Q,
        of_request(
            "{council.name}",
        )
        | {"councils": "uk"},
    ),
    (Q, of_request("{window.start:%Y}")),
    ("extract.request.path", of_api(request={"path": "/{period"})),
    ("columns.0.request", of_columns(column("a", request="council.name"), councils="uk")),
    ("extract.base_url", of_api(base_url="https://api test")),
    ("extract.base_url", of_api(base_url="https://api.test/{council.name}")),
    ("extract.base_url", of_api(base_url="https://a..test")),
    ("extract.rate.per_second", of_api(rate={"per_second": float("inf"), "burst": 1})),
    ("extract.window_minutes", of_api(window_minutes=10**12)),
    ("extract.answers.fail_at_once.0", of_api(answers={"fail_at_once": [""]})),
    ("extract.parents.ward", of_api(parents={"ward": PARENT})),
    ("extract.parents.A", of_api(parents={"A": PARENT})),
    ("extract.parents.ids.each", of_api(parents={"ids": {**PARENT, "each": "{id!z}"}})),
    ("extract.for_each", of_api(parents={"station": PARENT}, for_each="station")),
    ("extract.archive.for_each", of_archive(for_each="wards")),
    ("extract.for_each", of_request("{kind}", constants=KINDS, for_each=["kind", "kinds"])),
    ("extract.for_each", of_request("{kind}", constants=KINDS, for_each=["kind", "kind"])),
    ("extract.for_each", of_request("{kind}", constants=KINDS, for_each=["partition", "kind"])),
    ("extract.for_each", of_request("{period}", constants=KINDS, for_each=["kind"])),
    ("extract.constants.kind", of_api(constants={"kind": []})),
    ("extract.constants.kind", of_api(constants={"kind": ["a", "a"]})),
    ("extract.constants.kind.1", of_api(constants={"kind": ["a", 1]})),
    ("extract.constants.ward", of_api(constants={"ward": ["a"]})),
    ("extract.constants.kind", of_api(constants=KINDS, parents={"kind": PARENT})),
    (Q, of_request("{kinds}", constants=KINDS)),
    (Q, of_request("{council.names.London Air}")),
    (Q, of_request("{council.names.air:d}")),
    (Q, of_request("{council.names.air}") | {"councils": "uk"}),
    ("columns.0.request", of_columns(column("a", request="council.names."))),
    ("format.select.among", {"format": {"select": {"field": "id"}}}),
    ("format.select.among", {"format": {"select": {"field": "id", "among": []}}}),
    (
        "format.select.among",
        {"format": {"select": {"field": "id", "among": "period", "not": None}}},
    ),
    ("format.select.not", {"format": {"select": {"field": "id", "not": ["ids", None]}}}),
    ("extract.parents.ids.match.note", of_api(parents={"ids": {**PARENT, "match": {"note": []}}})),
    (
        "extract.parents.ids.not.note.1",
        of_api(parents={"ids": {**PARENT, "not": {"note": ["a", "{perod}"]}}}),
    ),
    (
        "extract.parents.station.match.note",
        of_request(
            "{station.id}{kind}",
            parents={"station": {"source": "gauges", "match": {"note": "{kind}"}}},
            constants=KINDS,
            for_each=["station", "kind"],
        ),
    ),
    (
        "extract.parents.station.match.note",
        of_request(
            "{station.id}{area.id}",
            parents={
                "station": {"source": "gauges", "match": {"note": "{area.id}"}},
                "area": {"source": "gauges"},
            },
            for_each=["station", "area"],
        ),
    ),
    (
        "extract.parents.station.match.note",
        of_request(
            "{station.id}",
            parents={"station": {"source": "gauges", "match": {"note": "{window.start}"}}},
            for_each="station",
            window_minutes=60,
        ),
    ),
    (
        "extract.parents.a.match.note",
        of_request("{a}{b}", parents={"a": {**PARENT, "match": {"note": "{b}"}}, "b": PARENT}),
    ),
    (
        "extract.parents.polygon",
        of_request(
            "{polygon}", parents={"polygon": PARENT}, split="polygon", answers={"too_large": [503]}
        ),
    ),
    (
        "extract.split",
        of_api(
            parents={"polygon": {**PARENT, "join": ":"}},
            split="polygon",
            answers={"too_large": [503]},
        ),
    ),
    (
        "columns.0.request",
        of_columns(
            column("a", request="ward.code"),
            extract=of_archive()["extract"] | {"for_each": "ward"},
        ),
    ),
    ("extract.archive.paths.id", of_archive(paths={"id": "request:wrd.code"})),
    ("extract.archive.paths.nr", of_archive(paths={"nr": "id"})),
    (
        "extract.archive.format.select.among",
        of_archive(format={"select": {"field": "id", "among": "ids"}}),
    ),
    ("extract.archive.request.path", of_archive(request={"path": "/{perod}"})),
    ("extract.query", of_database(query="select 1 where a like 'b%'")),
    ("extract.query", of_database(query="select 1 where a = %(day)s")),
    ("extract.query", of_database(query="select 1; select 2")),
    ("format", of_database() | {"format": {"kind": "csv"}}),
]


def line_of(text: str, field: str) -> int:
    """The line of a field in YAML in block style; of the section that lacks it."""
    node, line = yaml.compose(text), 1
    for part in field.split("."):
        if isinstance(node, yaml.SequenceNode):
            node = node.value[int(part)]
            line = node.start_mark.line + 1
        elif isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == part:
                    node, line = value, key.start_mark.line + 1
    return line


@pytest.mark.parametrize(
    ("field", "changes"), REFUSED, ids=[f"{n}-{field}" for n, (field, _) in enumerate(REFUSED)]
)
def test_what_fails_later_is_refused_with_file_line_and_field(tmp_path, field, changes):
    path = tmp_path / "gauges.yaml"
    text = yaml.safe_dump(contract_fields() | changes, sort_keys=False)
    path.write_text(text, encoding="utf-8")

    with pytest.raises(WrongDefinition) as caught:
        read_definition(path, Contract)

    assert f"{path}: line {line_of(text, field)}, field `{field}`: " in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ['title: "a\\0b"\n', 'title: "\\ud800"\n', "start: 2017-02-30\n", f"start: {'9' * 5000}\n"],
    ids=["NUL", "half a character", "no date", "too many digits"],
)
def test_a_value_that_no_text_or_date_can_be_is_refused_with_its_line(tmp_path, text):
    path = tmp_path / "gauges.yaml"
    path.write_text(f"name: gauges\n{text}", encoding="utf-8")

    with pytest.raises(WrongDefinition, match="line 2"):
        read_definition(path, Contract)


def test_a_file_that_cannot_be_opened_is_named(tmp_path):
    (tmp_path / "gauges.yaml").symlink_to(tmp_path / "nowhere")

    with pytest.raises(WrongDefinition, match=r"gauges\.yaml: cannot be read"):
        read_definition(tmp_path / "gauges.yaml", Contract)


# --- what is accepted, the programs that use it accept, too ---------------------------------------

CRON_FIELD = st.lists(
    st.sampled_from(
        ["*", "0", "1", "5", "15", "23", "29", "31", "59", "7", "/", "-", ",", "mon", "Feb"]
    ),
    min_size=1,
    max_size=4,
).map("".join)


@given(st.lists(CRON_FIELD, min_size=5, max_size=5).map(" ".join))
@example("0 0 29 2 *")
@example("0 0 30 2 mon")
@example("*/15 0-23/2 1,15 jan-dec sun-sat")
@example("0 4 * * 7")
@example("59 23 31 12 0-7")
def test_croniter_takes_every_schedule_that_is_read(text):
    try:
        syntax.schedule(text)
    except ValueError:
        return
    now = datetime(2026, 11, 26, tzinfo=UTC)
    assert croniter(text, now).get_next(datetime) > now
    assert croniter(text, now).get_prev(datetime) < now


PIECES = (
    *("a", "é", ".", "*", "+", "?", "??", "|", "^", "$", "(", ")", "(?:", "(?P<n>", "(?i)", "(?i:"),
    *("[a-z]", "[^a]", "[", "]", "-", r"\d", r"\W", r"\b", r"\.", r"\-", r"\x41", r"\p{L}", "[]a]"),
    *("{2}", "{2,}", "{2,3}", "{,3}", "{", "}", "{0}", "{999}", "{3,2}", r"[\d-]", r"[\p{Lu}]"),
    *(r"\B", r"\A", r"\Z", r"\1", r"\_", r"\ ", "[[:alpha:]]", "[a&&b]", "[a--]", "(?=a)", "(?#a)"),
)


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=8).map("".join))
@example(r"\p{L}{99}")
@example(r"(?:[A-Z]{2}\d{6},){100}")
@example("(?i)[a-zß]{1000}")
@example(".{1000}.{1000}.{1000}")
def test_re2_compiles_every_pattern_that_is_read(text):
    try:
        syntax.pattern(text)
    except ValueError:
        return
    full_match(pa.array(["a"]), text)


def test_the_patterns_of_the_docs_and_of_names_with_accents_are_read():
    for text in (
        r"\d{6}",
        "([0-9a-f]{64})?",
        r"[\p{L}' -]+",
        r"E\d{8}|W\d{8}",
        r"\{\w+\}",
        "[a-z-]+",
    ):
        assert syntax.pattern(text) == text


def test_polars_knows_every_time_zone_that_is_read():
    moment = pl.Series([datetime(2017, 7, 1, 12)])
    read = []
    for name in sorted(zoneinfo.available_timezones()):
        try:
            read.append(syntax.zone(name))
        except ValueError:
            continue
        moment.dt.replace_time_zone(read[-1])
    assert len(read) > 400


VALUES = {
    "period": datetime(2017, 5, 1, tzinfo=UTC).date(),
    "council.name": "a",
    "council.latitude": 51.4,
    "window.start": datetime(2017, 5, 1, tzinfo=UTC),
}


@given(
    st.sampled_from(sorted(VALUES)),
    st.text(st.sampled_from("%YmdHjQ-./ <>05.3fdsxe"), max_size=5),
    st.sampled_from(["", "!s", "!q"]),
)
def test_every_placeholder_that_is_read_can_be_filled(name, form, conversion):
    template = f"{{{name}{conversion}{':' if form else ''}{form}}}"
    try:
        check_formats(template)
    except ValueError:
        return
    assert fill(template, VALUES)


ALLOWED = st.one_of(
    st.booleans(),
    st.integers(-(2**65), 2**65),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["a", "1", "1.5", "true", "2017-05-01", "2017-05-01T00:00:00Z", "2017-02-30"]),
    st.sampled_from(["2017-05-01T00:00:00", "2017-W01", "20170501", "", " 1", "1e3", "\uff11"]),
)
TYPES = ("text", "integer", "numeric(4,2)", "double", "boolean", "date", "timestamptz")


@example("double", 2**53 + 1, "", False)
@given(st.sampled_from(TYPES), ALLOWED, st.sampled_from(["", "Europe/London"]), st.booleans())
def test_a_column_can_hold_every_allowed_value_that_is_read(type_name, value, zone, numbers):
    rules = {"zone": zone} if type_name == "timestamptz" else {}
    rules |= {"accept_numbers": numbers} if type_name == "text" else {}
    try:
        read = Column.model_validate(column("a", type_name, allowed=[value], **rules))
    except ValueError:
        return
    assert typed_as(read, list(read.allowed)).array.null_count == 0


class Landed:
    """Parents with a value in every column, and whose comparisons have theirs."""

    def __init__(self, source: Contract) -> None:
        self._parents = source.extract.parents

    def value(self, name: str, values: Any) -> str:
        for _, text in self._parents[name].texts():
            fill(text, values)
        return name

    def records(self, name: str, columns: list[str], values: Any) -> list[dict[str, str]]:
        return [dict.fromkeys(columns, self.value(name, values))]


def first_requests(source: Contract) -> list[Ask]:
    """The first request of each way, with every placeholder filled."""
    found = []
    period = Period.of(datetime(2017, 5, 1, tzinfo=UTC).date(), source.period)
    each = source.councils == "each"
    place = council("E05000001").model_copy(update={"points": POINTS}) if each else None
    if place:
        lacked = [name.removeprefix("names.") for name in lacking(source, place)]
        place = place.model_copy(update={"names": dict.fromkeys(lacked, "Small, ville")})
    for name, way in source.extract.ways.items():
        partition = Partition(source.name, "smallville" if each else "uk", period)
        ask = next(asks(source, name, partition, place, Landed(source)))
        request_of(way, "https://api.test", ask.values)
        context_of(source, name, ask.values)
        found.append(ask)
    return found


POINTS = (Point(name="Centre", latitude=51.4, longitude=-0.3),)
NAMES = (
    *("period", "period.next", "council.name", "council.names.air", "ward.code", "point.name"),
    *("window.end", "ids", "kind", "station.id", "sensor.id"),
)
LOOPS = ("ward", "point", "station", "sensor", "kind")


@given(
    st.fixed_dictionaries(
        {
            "councils": st.sampled_from(["each", "uk"]),
            "for_each": st.one_of(
                st.sampled_from(["partition", *LOOPS]),
                st.lists(st.sampled_from(LOOPS), max_size=3),
            ),
            "window": st.sampled_from([0, 1440]),
            "asked": st.lists(st.sampled_from(NAMES), min_size=1, max_size=3),
            "among": st.lists(st.sampled_from((None, *NAMES)), max_size=2),
            "select": st.sampled_from(["among", "not"]),
            "request": st.sampled_from(("", *NAMES)),
            "match": st.sampled_from(("", *NAMES)),
            "compare": st.sampled_from(["match", "not"]),
            "archived": st.sampled_from(["", "partition", "ward"]),
        }
    )
)
def test_every_contract_that_is_read_can_be_requested(drawn):
    """Placeholders, selections and columns find their values, in both ways."""
    match = {"note": [f"{{{drawn['match']}}}", None]} if drawn["match"] else {}
    match = {drawn["compare"]: match}
    request = {"path": "/", "query": {"q": "".join(f"{{{name}}}" for name in drawn["asked"])}}
    archive = {"from_age_days": 10, "for_each": drawn["archived"], "request": {"path": "/old"}}
    fields = contract_fields(
        column("id", **({"request": drawn["request"]} if drawn["request"] else {})),
        councils=drawn["councils"],
        extract=extracting(
            for_each=drawn["for_each"],
            window_minutes=drawn["window"],
            request=request,
            parents={
                "station": {"source": "stations"},
                "sensor": {"source": "stations", **match},
                "ids": {"source": "stations", "each": "{id}", **match},
            },
            constants=KINDS,
            **({"archive": archive} if drawn["archived"] else {}),
        ),
        **(
            {"format": {"select": {"field": "id", drawn["select"]: drawn["among"]}}}
            if drawn["among"]
            else {}
        ),
    )
    try:
        read = Contract.model_validate(fields)
    except ValueError:
        return
    assert first_requests(read)


@pytest.mark.parametrize("name", [n for n, c in contracts().items() if c.extract.kind == "http"])
def test_every_shipped_contract_can_be_requested(name):
    assert first_requests(contracts()[name])
