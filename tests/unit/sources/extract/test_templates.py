"""Placeholders: filled by name, never by attribute or position."""

from __future__ import annotations

from datetime import date

import pytest

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
