"""Rates of clients, API keys, ranges of files and encodings of answers."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path

import brotli
import pytest

from include.api.answers import Answer, Memory, encoding_for, matches
from include.api.data.problems import Problem
from include.api.files import part_of
from include.api.keys import key_of, keys_in
from include.api.limits import Limiter, Rate
from include.api.version import File
from include.errors import PermanentError

FILE = File(Path("x.csv"), "text/csv", "a" * 64, 1000)
TAG = f'"{"a" * 32}"'


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_client_may_use_its_burst_and_then_its_rate():
    clock = Clock()
    limiter = Limiter(clock)
    rate = Rate(per_second=2, burst=3)

    verdicts = [limiter.take("a", rate) for _ in range(4)]

    assert [(one.allowed, one.remaining) for one in verdicts if one] == [
        (True, 2), (True, 1), (True, 0), (False, 0)
    ]  # fmt: skip
    assert verdicts[3] is not None
    assert verdicts[3].reset == 1
    other = limiter.take("b", rate)
    assert other is not None
    assert other.allowed
    clock.now += 0.5
    assert [one.allowed for _ in range(2) if (one := limiter.take("a", rate))] == [True, False]


def test_over_a_minute_a_client_gets_its_rate_and_no_more():
    clock = Clock()
    limiter = Limiter(clock)
    allowed = 0
    for _ in range(6000):
        verdict = limiter.take("a", Rate(per_second=5, burst=10))
        allowed += bool(verdict and verdict.allowed)
        clock.now += 0.01

    assert 305 <= allowed <= 311


def test_without_a_rate_there_is_no_limit():
    limiter = Limiter()

    assert [limiter.take("a", Rate(0, 1)) for _ in range(1000)] == [None] * 1000


def test_clients_that_are_away_are_forgotten():
    clock = Clock()
    limiter = Limiter(clock)
    for number in range(120_000):
        limiter.take(str(number), Rate(1, 10))

    assert len(limiter._full_at) <= 50_000


def test_a_key_is_known_only_by_its_hash():
    sha256 = hashlib.sha256(b"open sesame").hexdigest()
    keys = keys_in(json.dumps([{"name": "a", "sha256": sha256, "per_second": 7, "burst": 9}]))

    found = key_of("open sesame", keys)

    assert found is not None
    assert (found.name, found.rate) == ("a", Rate(7, 9))
    assert key_of("open sesam", keys) is None
    assert key_of(sha256, keys) is None


@pytest.mark.parametrize(
    "text",
    [
        "", "{}x", "[1]", '[{"name": "a"}]', "null", '{"name": "a"}',
        '[{"name": "a", "sha256": "secret-key", "per_second": 1, "burst": 1}]',
        f'[{{"name": "a", "sha256": "{"0" * 64}", "per_second": -1, "burst": 1}}]',
    ],
)  # fmt: skip
def test_malformed_keys_are_refused_without_showing_them(text):
    with pytest.raises(PermanentError) as caught:
        keys_in(text)

    assert "secret-key" not in str(caught.value)


@pytest.mark.parametrize(
    ("wanted", "part"),
    [
        ("", (200, 0, 1000)),
        ("bytes=0-99", (206, 0, 100)),
        ("bytes=900-", (206, 900, 1000)),
        ("bytes=900-5000", (206, 900, 1000)),
        ("bytes=-1", (206, 999, 1000)),
        ("bytes=-5000", (206, 0, 1000)),
        ("bytes=5-4", (200, 0, 1000)),
        ("bytes=0-1,5-6", (200, 0, 1000)),
        ("bytes=-", (200, 0, 1000)),
        ("lines=0-1", (200, 0, 1000)),
    ],
)
def test_a_range_is_the_part_that_it_says(wanted, part):
    found = part_of(FILE, "x.csv", wanted, "")

    assert (found.status, found.start, found.end) == part
    assert dict(found.headers)["content-length"] == str(part[2] - part[1])


@pytest.mark.parametrize("wanted", ["bytes=1000-", "bytes=-0", "bytes=5000-6000"])
def test_a_range_after_the_end_is_refused(wanted):
    with pytest.raises(Problem) as caught:
        part_of(FILE, "x.csv", wanted, "")

    assert caught.value.status == 416
    assert dict(caught.value.headers)["content-range"] == "bytes */1000"


def test_a_part_of_another_file_is_answered_with_the_whole_file():
    assert part_of(FILE, "x.csv", "bytes=0-1", '"other"').status == 200
    assert part_of(FILE, "x.csv", "bytes=0-1", TAG).status == 206


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("", ""), ("gzip", "gzip"), ("gzip, deflate, br", "br"), ("br;q=0.5, gzip", "gzip"),
        ("*", "br"), ("br;q=0, *", "gzip"), ("identity", ""), ("gzip;q=0", ""), ("BR", "br"),
        ("gzip;q=x", ""), (",,;;", ""),
    ],
)  # fmt: skip
def test_the_encoding_is_one_that_the_client_accepts(accepted, encoding):
    assert encoding_for(accepted) == encoding


@pytest.mark.parametrize("is_hot", [True, False])
def test_every_encoding_holds_the_same_body_under_its_own_tag(is_hot):
    body = b"abc " * 1000
    answer = Answer(200, "text/plain", body, "tag", is_hot=is_hot)

    found = {encoding: answer.encoded(encoding) for encoding in ("", "br", "gzip")}

    assert found[""][1] == body
    assert brotli.decompress(found["br"][1]) == body
    assert gzip.decompress(found["gzip"][1]) == body
    assert len({dict(headers)["etag"] for headers, _ in found.values()}) == 3
    for headers, sent in found.values():
        assert dict(headers)["content-length"] == str(len(sent))
        assert dict(headers)["vary"] == "accept-encoding"


def test_a_small_body_is_not_encoded():
    headers, body = Answer(200, "text/plain", b"abc", "tag").encoded("br")

    assert body == b"abc"
    assert "content-encoding" not in dict(headers)


@pytest.mark.parametrize("tags", ['"tag"', 'W/"tag"', '"x", "tag-br"', '"tag-gzip"', "*"])
def test_a_client_that_has_the_content_in_any_encoding_has_it(tags):
    assert matches(tags, "tag")


@pytest.mark.parametrize("tags", ['"tag2"', '"ta"', '"tag-zstd"', "", '"x"'])
def test_a_client_with_other_content_does_not_have_it(tags):
    assert not matches(tags, "tag")


def test_the_memory_of_answers_is_bounded():
    memory = Memory(100_000)
    for number in range(1000):
        memory.add(str(number), Answer(200, "text/plain", b"x" * 1000, "tag"))

    assert memory.get("0") is None
    assert memory.get("999") is not None
    assert memory._held <= 100_000
    memory.add("large", Answer(200, "text/plain", b"x" * 50_000, "tag"))
    assert memory.get("large") is None
