"""The limiter of one process: a burst, then the rate."""

from __future__ import annotations

import time

import pytest

from include.extract.client import Client
from include.extract.rate_limit import limiter
from include.sources.extract.http import Rate
from tests.samples import contract, extracting


def sent_within(seconds: float, rate: Rate, host: str) -> int:
    sent, end = 0, time.monotonic() + seconds
    while True:
        limiter(host, rate, None).try_acquire(host)
        if time.monotonic() > end:
            return sent
        sent += 1


def test_a_burst_is_let_through_and_then_the_rate_is_kept():
    sent = sent_within(0.5, Rate(per_second=20, burst=5), "rate.test")

    assert 12 <= sent <= 15


@pytest.mark.parametrize("per_second", [0.3, 2, 15, 300])
def test_the_rate_is_never_rounded_up(per_second):
    rate = limiter("rounded.test", Rate(per_second=per_second, burst=1), None)
    (bucket,) = rate.bucket_factory.owned_buckets()

    allowed = bucket.rates[0].limit * 1000 / bucket.rates[0].interval

    assert 0.999 * per_second < allowed <= per_second


def test_clients_of_a_host_share_its_rate():
    rate = Rate(per_second=20, burst=2)
    extract = contract(extract=extracting(base_url="https://shared.test")).extract

    assert Client(extract, rate)._limiter is Client(extract, rate)._limiter
