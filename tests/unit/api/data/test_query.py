"""Query strings: each asks for something that is answered, or is refused by name."""

from __future__ import annotations

import json
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.api.data.aggregate import groups_of
from include.api.data.problems import Problem
from include.api.data.query import MOST_FILTERS, OPERATORS, parse_aggregate, parse_none, parse_rows
from include.api.data.rows import page_of
from tests.api_tables import TYPES

PARTS = st.one_of(
    st.sampled_from([*TYPES, *OPERATORS, "select", "order", "limit", "after", "group", "measure"]),
    st.sampled_from(["sum.price", "count", "mean.note", ".", ",", '"', "=", "&", "%", "null", ""]),
    st.sampled_from(["2026-01", "9999-12-31T23:59:59+00:00", "0001-01-01T00:00+14:00", "0000"]),
    st.sampled_from(["1e999", "-0", "9" * 41, "nan", "inf", "٣", "1_0", "\x00", "\ud800"]),
    st.text(max_size=5),
    st.integers().map(str),
)


@st.composite
def queries(draw: st.DrawFn) -> str:
    """Query strings that look like ours, more or less."""
    pairs = draw(st.lists(st.tuples(PARTS, st.lists(PARTS, max_size=3)), max_size=4))
    text = "&".join(f"{name}={'.'.join(values)}" for name, values in pairs)
    if draw(st.booleans()):
        return quote(text, safe="=&.,", errors="surrogatepass")
    return text


@given(st.one_of(queries(), st.text(max_size=60)))
def test_any_query_string_is_answered_or_refused(dataset, query):
    for kind in (parse_rows, parse_aggregate):
        status, body = 200, b""
        try:
            asked = kind(query, dataset.columns)
            body = (
                page_of(dataset, asked, "/rows", query)[0]
                if kind is parse_rows
                else groups_of(dataset, asked)
            )
        except Problem as problem:
            status, body = problem.status, problem.body()
        assert status in (200, 400, 410, 414)
        assert json.loads(body).get("status", 200) == status


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("coucil=x", "Unknown parameter 'coucil'. Known: select, order, limit, after, council"),
        ("council=is.nul", "'nul' is not a value for 'is' of 'council'"),
        ("council=like.s", "Unknown operator 'like' for 'council'. Known: eq, neq, gt"),
        ("day=soon", "'soon' is not a value for 'eq' of 'day', of the type date. Expected a day"),
        ("day=gte.2026-13", "'2026-13' is not a value"),
        ("number=gt.1.5", "Expected a whole number"),
        ("price=gt.cheap", "Expected a number"),
        ("is_open=yes", "Expected true or false"),
        ("tags=x", "holds JSON, which is not compared"),
        ("order=tags", "holds JSON"),
        ("select=", "Unknown column ''"),
        ("select=council,council", "`select` has 'council' twice"),
        ("select=council&select=day", "`select` is given twice"),
        ("order=day.down", "Unknown direction 'down'. Known: asc, desc"),
        ("limit=0", "from 1 to 1000"),
        ("limit=1001", "follow `next` or download the file"),
        ("limit=-1", "is not a value for `limit`"),
        ("after=zzz", "is not a cursor of this query"),
        ("council", "has no value"),
        ("council=%zz", "two hexadecimal digits"),
        ("council=%ff", "is not UTF-8"),
        ("group=council", "Unknown parameter 'group'"),
        ("&".join(["council=x"] * (MOST_FILTERS + 1)), "at most 20"),
        (f"number=in.{','.join(['1'] * 101)}", "at most 100"),
        (f"note={'x' * 5000}", "at most 4096"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_query_is_named(dataset, query, said):
    with pytest.raises(Problem) as caught:
        page_of(dataset, parse_rows(query, dataset.columns), "/rows", query)

    assert said in caught.value.detail
    assert caught.value.status in (400, 414)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("measure=sum.note", "`sum` needs a column of numbers; 'note' is of the type text"),
        ("measure=median.price", "Unknown measure 'median.price'. Known: count, sum, mean"),
        ("measure=sum", "Unknown column ''"),
        ("measure=count.price", "`count` takes no column"),
        ("group=nothing", "Unknown column 'nothing'"),
        ("group=tags", "holds JSON"),
        ("limit=1", "Unknown parameter 'limit'. Known: group, measure, council"),
    ],
)
def test_what_is_wrong_with_groups_is_named(dataset, query, said):
    with pytest.raises(Problem) as caught:
        parse_aggregate(query, dataset.columns)

    assert said in caught.value.detail


def test_where_there_are_no_parameters_one_is_refused():
    parse_none("")
    with pytest.raises(Problem, match=r"Unknown parameter 'limit'\. Known: none"):
        parse_none("limit=1")


@pytest.mark.parametrize("note", ["eq.x", "gte.1", "a,b", "Ä & ö", "100%", "+1", "line\nbreak"])
def test_any_text_can_be_asked_for_with_its_operator(dataset, table, note):
    query = urlencode({"note": f"eq.{note}", "limit": 1000})

    found = json.loads(page_of(dataset, parse_rows(query, dataset.columns), "/", query)[0])["rows"]

    assert found
    assert len(found) == sum(row["note"] == note for row in table.rows)


def test_a_problem_does_not_repeat_a_long_value(dataset):
    with pytest.raises(Problem) as caught:
        parse_rows(f"day={'x' * 3000}", dataset.columns)

    assert len(caught.value.body()) < 1000
