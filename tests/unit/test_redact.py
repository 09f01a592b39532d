"""Secrets are taken out of texts, logs and bodies, however they are written or cut."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterator
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include import redact
from include.errors import PermanentError
from include.redact import Scrub, holds_secret, keep_secret, redacted

SECRET = 'a/long "secret" of+many=characters'


@pytest.fixture(autouse=True)
def known(monkeypatch) -> Iterator[None]:
    monkeypatch.setattr(redact, "_known", {})
    monkeypatch.setattr(redact, "_named", {})
    factory = logging.getLogRecordFactory()
    keep_secret(SECRET, "a_key")
    yield
    logging.setLogRecordFactory(factory)


@pytest.mark.parametrize(
    "written",
    [
        SECRET,
        quote_plus(SECRET),
        json.dumps(SECRET)[1:-1],
        base64.b64encode(SECRET.encode()).decode(),
    ],
)
def test_every_form_of_a_secret_is_replaced_by_its_name(written):
    assert redacted(f"a {written} b") == "a [secret a_key] b"
    assert holds_secret(written)
    assert str(PermanentError(f"found {written}")) == "found [secret a_key]"


def test_a_text_of_three_characters_is_not_a_secret():
    keep_secret("the", "short")

    assert redacted("the other") == "the other"


def test_log_records_and_tracebacks_hold_no_secret(caplog):
    try:
        raise ValueError(SECRET)
    except ValueError:
        logging.getLogger("x").exception("asked %s of %s", "a", SECRET)

    assert SECRET not in caplog.text
    assert "ValueError: [secret a_key]" in caplog.text


@given(st.lists(st.sampled_from([SECRET, "a", "secret", SECRET[:9], "\n", "é"])), st.data())
def test_a_secret_is_taken_out_of_a_body_however_it_is_cut(parts, data):
    body = "".join(parts).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=6)))
    scrub = Scrub()

    found = b"".join(
        scrub.feed(body[start:end])
        for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)
    )
    found += scrub.end()

    assert found == body.replace(SECRET.encode(), b"*" * len(SECRET))
    assert scrub.found == (SECRET.encode() in body)


def test_a_short_secret_stays_in_data_where_it_may_be_by_chance():
    keep_secret("s3cret", "short")
    scrub = Scrub()

    assert scrub.feed(b'{"note": "s3cret"}') + scrub.end() == b'{"note": "s3cret"}'
    assert redacted("s3cret") == "[secret short]"


ECHOES = [
    b'{"args": {"app_key": "s3cr/t"}, "note": "s3cr/t"}',
    b'{"url": "https://x/?app_key=s3cr%2Ft&day=1", "app_key" : "s3cr\\/t"}',
    b"APP_KEY: s3cr/t",
    b"%26app_key%3Ds3cr%2Ft%26",
]


@pytest.mark.parametrize("body", ECHOES)
def test_a_short_secret_is_taken_out_of_data_after_the_name_that_it_was_sent_as(body):
    keep_secret("s3cr/t", "short", sent_as="app_key")

    for cut in range(len(body) + 1):
        scrub = Scrub()
        found = scrub.feed(body[:cut]) + scrub.feed(body[cut:]) + scrub.end()

        assert scrub.found
        assert len(found) == len(body)
        kept = found.removesuffix(b'"note": "s3cr/t"}')
        assert b"s3cr" not in kept
    assert ECHOES[0].endswith(b'"note": "s3cr/t"}')


@pytest.mark.parametrize("body", [b"app_key=s3cr/total", b"other=s3cr/t", b"app_key is s3cr/t"])
def test_a_short_secret_elsewhere_and_a_longer_text_stay(body):
    keep_secret("s3cr/t", "short", sent_as="app_key")

    for cut in range(len(body) + 1):
        scrub = Scrub()
        assert scrub.feed(body[:cut]) + scrub.feed(body[cut:]) + scrub.end() == body
