"""Placeholders of a query, whichever server it is for."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.sources.extract.sql import Dialect, check, parts, with_markers
from tests.samples import column, contract

DIALECTS = get_args(Dialect)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("select %(other)s", "expected only %\\(period_start\\)s"),
        ("select 5 % 2", "other percent signs as %%"),
        ("select '%(council)s'", "no placeholder in quotes"),
        ('select "%(council)s"', "no placeholder in quotes"),
        ("select 1 -- of %(council)s", "no placeholder in quotes or in a comment"),
        ("select 1 /* of %(council)s */", "no placeholder in quotes or in a comment"),
        ("select 1; drop table t", "expected one select"),
        ("select 1) as asked; select (1", "expected one select"),
        ("select 1) as asked union select (1", "as many \\) as \\("),
        ("select (1", "as many \\) as \\("),
        ("delete from t", "expected a select, found 'delete'"),
        ("-- nothing", "expected a select"),
        ("select 'open", "expected an end of what ' begins"),
        ("select 1 /* open", "expected an end of what /\\* begins"),
        ("select 1 /* a /* b */ */", "expected an end of what"),
    ],
)
def test_a_query_that_is_wrong_for_every_server_is_refused_when_the_contract_is_read(query, said):
    extract = {"kind": "database", "connection": "c", "query": query, "key": "id"}

    with pytest.raises(ValueError, match=said):
        contract(column("id", "integer"), extract=extract)


@pytest.mark.parametrize(
    ("dialect", "query", "expected"),
    [
        ("postgresql", "select 'a;%%' where c = %(council)s", "select 'a;%' where c = <council>"),
        ("postgresql", r"select E'\'%%' || %(council)s", r"select E'\'%' || <council>"),
        ("postgresql", "select $q$'$q$ || %(council)s", "select $q$'$q$ || <council>"),
        ("mysql", r"select '\'' , `'`, %(council)s", r"select '\'' , `'`, <council>"),
        ("mysql", "select 1 # it's\n, %(council)s", "select 1 # it's\n, <council>"),
        ("mysql", "select 1--1, %(council)s", "select 1--1, <council>"),
        ("mssql", "select [it's] , %(council)s", "select [it's] , <council>"),
        ("mssql", r"select '\' , %(council)s", r"select '\' , <council>"),
        ("oracle", "select q'[it's]' || %(council)s", "select q'[it's]' || <council>"),
        ("oracle", "select nq'!it's!' || %(council)s", "select nq'!it's!' || <council>"),
        ("oracle", "select ':a ?' || %(council)s -- :b", "select ':a ?' || <council> -- :b"),
    ],
)
def test_placeholders_are_found_where_the_server_looks_for_them(dialect, query, expected):
    check(query)

    assert with_markers(query, dialect, "<{}>".format) == expected


@pytest.mark.parametrize(
    ("dialect", "query", "said"),
    [
        ("mysql", "select 1 # %(council)s", "in a comment"),
        ("mysql", r"select '\', %(council)s, '", "in quotes"),
        ("mysql", "select 1 /*! , 2 */ from `t`", "no comment that MySQL runs"),
        ("mssql", "select [%(council)s]", "in quotes"),
        ("oracle", "select q'[%(council)s]'", "in quotes"),
        ("postgresql", "select $$%(council)s$$", "in quotes"),
    ],
)
def test_a_placeholder_that_only_this_server_does_not_see_is_refused_by_it(dialect, query, said):
    with pytest.raises(ValueError, match=said):
        with_markers(query, dialect, "<{}>".format)


@given(text=st.text("'\"`[]$-#/*\\qn (a\n%"))
def test_parts_are_the_whole_query_or_an_end_is_missing(text):
    for dialect in DIALECTS:
        try:
            found = list(parts(text, dialect))
        except ValueError:
            continue
        assert "".join(part.text for part in found) == text
