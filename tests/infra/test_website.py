"""The website serves what the publication writes, as Airflow serves it."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

import pytest

from include.publish.front import front
from include.publish.versions import VERSION
from plugins.open_data import HEADERS, headers
from tests.infra.folders import TERRAFORM

WEBSITE = (TERRAFORM / "modules/website/main.tf").read_text()
LAKE = (TERRAFORM / "modules/lake/main.tf").read_text()
A_VERSION = "0123456789abcdef"


def local(name: str) -> str:
    found = re.search(rf'^  {name} += "(.*)"$', WEBSITE, re.MULTILINE)
    assert found, f"there is no local {name}"
    return found[1]


@pytest.fixture(scope="module")
def readable() -> list[str]:
    """The patterns of the bucket policy, below `published/`."""
    found = re.search(r"website_objects = \[(.*)\]", LAKE)
    assert found
    return re.findall(r'"([^"]+)"', found[1])


def test_the_security_headers_are_those_of_the_dashboard_in_airflow():
    sent = {
        "Content-Security-Policy": local("content_security_policy"),
        "X-Frame-Options": local("frame_option"),
        "Referrer-Policy": local("referrer_policy"),
        "X-Content-Type-Options": "nosniff",
    }

    # How long it may be kept is different: these pages are for everybody.
    assert sent == {
        name: value for name, value in HEADERS.items() if name not in ("Cache-Control", "Vary")
    }


def test_with_the_read_api_both_let_scripts_ask_it(monkeypatch):
    monkeypatch.setenv("WANDLE_API_URL", "https://api.example.gov.uk")
    headers.cache_clear()
    sent = headers()["Content-Security-Policy"]
    headers.cache_clear()

    replaced = re.search(r'replace\(local\.content_security_policy, "(.+?)", "(.+?)"\)', WEBSITE)
    assert replaced
    by_terraform = local("content_security_policy").replace(replaced[1], replaced[2])
    assert by_terraform.replace("${var.api_url}", "https://api.example.gov.uk") == sent
    assert "connect-src https://api.example.gov.uk;" in sent


def test_readers_may_read_everything_that_the_publication_made_for_them(readable):
    made = [*front(A_VERSION), f"{A_VERSION}/site/council/x.html", f"{A_VERSION}/data/x/x.csv"]

    assert [name for name in made if not any(fnmatchcase(name, one) for one in readable)] == []


@pytest.mark.parametrize("name", ["index.json", f"{A_VERSION}/{VERSION}", "", "site/x"])
def test_readers_may_not_read_what_is_for_the_pipeline(readable, name):
    assert len(readable) > 3
    assert not any(fnmatchcase(name, one) for one in readable)
