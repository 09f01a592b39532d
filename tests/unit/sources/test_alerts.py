"""Who is notified: which channels a contract may name, and what is not a channel."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from include.jobs.alerts.outbox import channels_of
from include.sources.alerts import email_in
from include.sources.model import contracts
from tests.samples import contract

WRONG = {
    "kinds without a channel": {"kinds": ["failed"]},
    "no channel at all": {"email": []},
    "an address with a name": {"email": ["Team <team@council.example>"]},
    "an address that ends its header": {"email": ["team@council.example\nBcc: x@y.example"]},
    "two addresses in one": {"email": ["a@council.example,b@council.example"]},
    "a URL for the name of a secret": {"webhook": "https://hooks.example.org/x"},
    "a connection of the platform as a secret": {"slack": "wandle_loader"},
    "a topic outside of the boundary": {"sns": "other-topic"},
    "hosts without a webhook": {"email": ["a@council.example"], "private_hosts": ["hooks.lan"]},
    "an unknown kind": {"email": ["a@council.example"], "kinds": ["broken"]},
}


@pytest.mark.parametrize("alerts", WRONG.values(), ids=WRONG)
def test_alerts_that_could_not_be_sent_are_refused(alerts):
    with pytest.raises(ValidationError, match="alerts"):
        contract(alerts=alerts)


def test_each_address_secret_and_topic_is_a_channel_once():
    source = contract(
        owner="Data team <a@council.example>",
        alerts={
            "email": ["a@council.example", "b@council.example"],
            "webhook": "hook",
            "slack": "chat",
            "sns": "wandle-{environment}-alerts",
        },
    )

    assert channels_of(source) == [
        ("email", "a@council.example"),
        ("email", "b@council.example"),
        ("webhook", "hook"),
        ("slack", "chat"),
        ("sns", "wandle-{environment}-alerts"),
    ]


def test_nobody_is_notified_by_default_not_even_an_owner_with_an_address():
    assert channels_of(contract(owner="a@council.example")) == []
    assert contracts()
    assert not any(item.alerts.are_on for item in contracts().values())


@pytest.mark.parametrize(
    ("owner", "address"),
    [
        ("data-team", ""),
        ("team@council.example", "team@council.example"),
        ("Data team <team@council.example>", "team@council.example"),
        ("<team@council.example>\nBcc: x@y.example", "team@council.example"),
    ],
)
def test_an_owner_has_an_address_or_none(owner, address):
    assert email_in(owner) == address


def test_alerts_do_not_decide_what_is_loaded():
    assert contract(alerts={"email": ["a@council.example"]}).rules_hash == contract().rules_hash
