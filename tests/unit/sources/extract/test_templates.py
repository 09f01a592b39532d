"""Placeholders: filled by name, never by attribute or position."""

from __future__ import annotations

import re
from datetime import date

import pytest

from include.errors import UnexpectedPayload
from include.records.json.values import ExactNumber
from include.sources.extract.templates import fill, placeholders

VALUES = {"period": date(2017, 5, 1), "ward.code": "E05000400", "polygon": "51.4,-0.3"}


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("{period:%Y-%m}", "2017-05"),
        ("/{ward.code}/boundary", "/E05000400/boundary"),
        ("{polygon}", "51.4,-0.3"),
        ("plain", "plain"),
        ("{{literal}}", "{literal}"),
    ],
)
def test_a_template_is_filled(template, filled):
    assert fill(template, VALUES) == filled


@pytest.mark.parametrize("template", ["{period.__class__}", "{ward.code.upper}", "{0}", "{ward}"])
def test_only_whole_names_are_looked_up(template):
    with pytest.raises(KeyError):
        fill(template, VALUES)


def test_the_names_of_a_template_are_listed():
    assert list(placeholders("{period:%Y}-{ward.code} {{x}}")) == ["period", "ward.code"]


def test_a_value_that_looks_like_a_template_is_left_alone():
    assert fill("{polygon}", {"polygon": "{period}"}) == "{period}"


@pytest.mark.parametrize("form", [".2f", "%", "f"])
@pytest.mark.parametrize(
    "value",
    [
        ExactNumber("1E999999999"),
        ExactNumber("-1E-999999999"),
        ExactNumber("0E-999999999"),
        10**400,
        float("inf"),
        "n/a",
        None,
    ],
    ids=["huge", "tiny", "zero", "whole", "infinite", "text", "null"],
)
def test_a_value_of_a_parent_that_cannot_be_written_as_asked_is_refused_by_placeholder(form, value):
    with pytest.raises(UnexpectedPayload, match=re.escape(f"{{site.depth:{form}}}: the value")):
        fill(f"/{{site.depth:{form}}}", {"site.depth": value})


def test_an_exact_number_of_a_usual_size_is_written_as_asked():
    values = {"depth": ExactNumber("12.50"), "tiny": ExactNumber("1.0E-324"), "far": 1e308}

    assert fill("{depth:.2f} {depth} {tiny:.1f}", values) == "12.50 12.50 0.0"
    assert len(fill("{far:.2f}", values)) == 312


def test_an_exact_number_without_a_format_is_written_as_python_does():
    assert fill("{depth}", {"depth": ExactNumber("1E999999999")}) == "1E+999999999"


def test_a_format_that_does_not_fit_a_value_of_the_council_is_no_fault_of_a_publisher():
    with pytest.raises(ValueError, match="Unknown format code"):
        fill("{council.name:.2f}", {"council.name": "sutton"})
