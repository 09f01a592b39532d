"""The address of `wandle new-source`: placeholders are kept or refused, never misread."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from include.councils.model import Council
from include.errors import PermanentError
from include.jobs.author import address as job
from include.jobs.author.address import Address
from include.sources.partition import Period
from tests.samples import council_fields

DAY = Period(date(2026, 7, 3), "day")


@pytest.fixture(autouse=True)
def smallville(monkeypatch) -> Council:
    points = [{"name": "Green", "latitude": 51.4, "longitude": -0.25}]
    fields = council_fields("E05000001", title="Small Ville", points=points, names={"air": "Ville"})
    place = Council.model_validate(fields)
    monkeypatch.setattr(job, "council_named", lambda name: place)
    monkeypatch.setattr(job, "councils", lambda: {place.name: place})
    return place


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://a.test", "/"),
        ("https://a.test/{council.gss_code}/{period:%Y-%m-%d}", "/E09000001/2026-07-03"),
        ("https://a.test/x?of={council.title}", "/x?of=Small%20Ville"),
        ("https://a.test/x?to={period.next:%d/%m/%Y}&{{}}", "/x?to=04/07/2026&{{}}"),
        ("https://a.test/{ward.code}", "/E05000001"),
        ("https://a.test/{council.names.air}/{ward.code}/{point.name}", "/Ville/E05000001/Green"),
        ("https://a.test/{point.latitude:.3f},{point.longitude}", "/51.400,-0.25"),
        ('https://a.test/x?where={"a": {"b": 1}}', '/x?where={"a": {"b": 1}}'),
    ],
)
def test_the_request_has_values_in_place_of_placeholders(url, target):
    assert Address.parse(url).filled(DAY, "") == target


def test_a_contract_is_drafted_with_a_loop_over_wards_and_points():
    address = Address.parse("https://a.test/{point.name}/{ward.code}")

    assert address.for_each == ["ward", "point"]


def test_a_council_without_the_name_in_the_address_is_reported_with_where_to_add_it():
    address = Address.parse("https://a.test/{council.names.rain}")

    with pytest.raises(
        PermanentError, match=r"smallville.yaml has no `names.rain`\. Add `names: \{rain: "
    ):
        address.filled(DAY, "")


def test_the_contract_keeps_the_placeholders():
    address = Address.parse(
        "https://a.test/{council.gss_code}/x?on={period:%Y%m%d}&till=2026-07-04"
    )

    first, request = address.request(None, "day")

    assert first == date(2026, 7, 4)
    assert request == {
        "path": "/{council.gss_code}/x",
        "query": {"on": "{period:%Y%m%d}", "till": "{period:%Y-%m-%d}"},
    }


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (
            "https://a.test/{council}/x",
            r"unknown placeholder {council}\. Did you mean {council\.gss",
        ),
        ("https://a.test/x?on={day}", r"{day}\. Did you mean {period:%Y-%m-%d}\? Known: period, "),
        ("https://a.test/x?on={Month:%Y}", r"Did you mean {period:%Y-%m}"),
        ("https://a.test/{who}", r"unknown placeholder {who}\. Known: .*write %7Bwho%7D"),
        ("https://a.test/{council.mayor}", "unknown placeholder {council.mayor}"),
        ("https://a.test/{period!r}", "unknown placeholder {period!r}"),
        ("https://a.test/{period:%Y", "has no closing brace"),
        ("https://a.test/{window.start:%H}", "needs `window_minutes`"),
        ("https://{council.name}.test/x", "the host .* has a placeholder"),
        ("https://a.test:99999/x", "is not an address: Port out of range"),
        ("https://a.test:x/", "is not an address"),
        ("https:///x", "is not an address"),
        ("a.test/x", r"is not an address\. Start with https"),
        (
            "http://a.test/x?key=secret",
            r"http:// is for this machine only.* Try https://a\.test/x\.",
        ),
    ],
)
def test_what_no_contract_can_request_is_one_sentence(url, said):
    with pytest.raises(PermanentError, match=rf"^new-source: .*{said}") as caught:
        Address.parse(url)

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("written", ["{council.latitude:abc}", "{council.name:.3f}"])
def test_a_format_that_does_not_fit_is_one_sentence(written):
    with pytest.raises(PermanentError, match=r"^new-source: "):
        Address.parse(f"https://a.test/{written}").filled(DAY, "")


def test_this_machine_is_requested_over_http():
    address = Address.parse("http://LocalHost:8000/x")

    assert address.base_url == "http://localhost:8000"


@pytest.mark.parametrize("never", ["9999-12-31", "9999-12"])
def test_a_date_that_means_never_stays_as_it_is(never):
    first, request = Address.parse(f"https://a.test/2026-07-03?to={never}").request(None, "day")

    assert (first, request["query"]) == (date(2026, 7, 3), {"to": never})


def test_a_date_within_a_placeholder_is_its_format():
    _, request = Address.parse("https://a.test/{period:2026-07-%d}/x").request(None, "day")

    assert request["path"] == "/{period:2026-07-%d}/x"


def test_a_council_without_weather_points_is_named(monkeypatch):
    place: Any = Council.model_validate(council_fields())
    monkeypatch.setattr(job, "council_named", lambda name: place)

    with pytest.raises(PermanentError, match="smallville has no weather points"):
        Address.parse("https://a.test/{point.name}").filled(DAY, "")
