"""What the benchmark of the read API concludes: queueing, simulated days, and the page."""

from __future__ import annotations

import math

import pytest

from tests.benchmarks.api import assessment
from tests.benchmarks.api.availability import DAY, Assumed, Measured, simulated, started
from tests.benchmarks.api.queueing import Model, erlang_c, fitted, sustained, variation
from tests.benchmarks.api.servers import OURS

QUIET = Assumed(deploys=0, versions=0, outages=0, killed_a_copy=0, lost_probability=0)
NOTHING_LOST = Measured(start_seconds=10, killed=0, killed_while_away=0, switched=0, away=0)


def at(rate: int, mean: float, **other: object) -> dict[str, object]:
    """What was found at a rate that was answered whole; the mean in seconds."""
    return {
        "phase": "rate", "server": OURS, "rate": rate, "seconds": 10, "answered": 10 * rate,
        "errors": 0, "unanswered": 0, "due": 10 * rate, "mean": 1000 * mean, "p50": 1.0, "p99": 5.0,
        "max": 9.0, "cpu_microseconds": 80.0, "generator_cpu_seconds": 2.0, "bytes": 10**7,
    } | other  # fmt: skip


@pytest.mark.parametrize(("servers", "load", "waits"), [(1, 0.5, 0.5), (2, 1.0, 1 / 3)])
def test_erlang_c_is_that_of_the_textbook(servers, load, waits):
    assert erlang_c(servers, load) == pytest.approx(waits)
    assert erlang_c(servers, servers) == 1


def test_one_server_waits_as_pollaczek_and_khinchine_say():
    model = Model(base=0, service=0.01, variation=0, cores=1)
    # Half as long as with exponential times: rho * S / (2 * (1 - rho)).
    assert model.wait(50) == pytest.approx(0.5 * 0.01 / (2 * 0.5))
    assert model.mean(100) == math.inf


def test_a_fit_finds_the_model_that_made_the_points_and_its_knee():
    made = Model(base=0.0004, service=120e-6, variation=0.0)
    points = [at(rate, made.mean(rate)) for rate in (100, 1_000, 5_000, 10_000, 15_000)]

    found = fitted(points)

    assert found.capacity == pytest.approx(made.capacity, rel=0.01)
    assert found.base == pytest.approx(made.base, rel=0.02)
    assert 0.5 * made.capacity < found.knee < made.capacity
    nearby = [rate / made.mean(rate) for rate in (found.knee * 0.9, found.knee, found.knee * 1.05)]
    assert max(nearby) == nearby[1]


def test_only_rates_that_were_answered_whole_are_fitted():
    good = [at(100, 0.001), at(1_000, 0.001), at(5_000, 0.001)]
    bad = [at(9_000, 3.0, errors=1), at(9_500, 3.0, answered=9_000), at(900, 1.0, server="other")]
    assert sustained([*bad, *good]) == good
    assert fitted(good[:2] + bad) is None


def test_the_variation_is_between_the_kinds_of_the_mix():
    taken = {"hot": 30, "filtered": 30, "aggregate": 30, "unchanged": 30, "error": 30}
    peaks = [
        {"phase": "peak", "server": OURS, "kind": kind, "cpu_microseconds": micros}
        for kind, micros in taken.items()
    ]
    assert variation(peaks) == 0
    peaks[1]["cpu_microseconds"] = 180
    # Two of ten take 180, eight 30: mean 60, variance 3600.
    assert variation(peaks) == pytest.approx(1)
    assert variation(peaks[:-1]) == 0


def test_a_quiet_day_loses_nothing():
    assert simulated(NOTHING_LOST, 1, 5, QUIET).days == [1.0] * 5


def test_a_deploy_costs_one_copy_its_start_and_two_copies_nothing():
    busy = Assumed(deploys=3, versions=0, outages=0, killed_a_copy=0, lost_probability=0)
    alone = simulated(NOTHING_LOST, 1, 50, busy)
    assert alone.lost_seconds["deploys"] / 50 == pytest.approx(30, rel=0.02)
    assert simulated(NOTHING_LOST, 2, 50, busy).mean == pytest.approx(1, abs=1e-5)


def test_a_lost_copy_costs_its_share_until_the_load_balancer_notices():
    lossy = Assumed(
        deploys=0, versions=0, outages=0, killed_a_copy=0, lost_probability=1,
        host_seconds=100, noticed_seconds=20,
    )  # fmt: skip
    assert simulated(NOTHING_LOST, 1, 200, lossy).mean == pytest.approx(1 - 110 / DAY, abs=1e-5)
    found = simulated(NOTHING_LOST, 4, 200, lossy)
    assert found.lost_seconds["lost copies"] / 200 == pytest.approx(4 * 20 / 4, rel=0.05)


def test_what_was_lost_under_load_counts_for_a_share_of_the_traffic():
    killed = Measured(1, killed=0.5, killed_while_away=0.5, switched=0.25, away=0)
    assumed = Assumed(deploys=0, versions=2, outages=0, killed_a_copy=3, lost_probability=0)
    lost = simulated(killed, 3, 1, assumed).lost_seconds
    assert lost["killed processes"] == pytest.approx(3 * 3 * 0.5 / 3)
    assert lost["new versions"] == pytest.approx(0.5)


def test_a_copy_that_starts_while_s3_is_away_waits_for_it():
    away = [(200.0, 300.0), (100.0, 150.0)]
    assert started(0, 10, away) == 10
    assert started(95, 10, away) == 150
    assert started(195, 10, away) == 300


def test_the_assessment_is_written_from_what_was_measured_and_says_what_was_not():
    events = {
        "new version": "switched_seconds", "kill": "back_seconds", "outage": "outage_seconds",
        "kill in an outage": "back_seconds",
    }  # fmt: skip
    results = [
        *(at(rate, 0.0005) for rate in (100, 1_000, 10_000)),
        at(17_500, 2.0, phase="knee", errors=40, unanswered=40),
        *(at(5_000, 0.001, phase=name, **{took: 2.5}) for name, took in events.items()),
        {"phase": "start", "start_seconds": 1.5, "load_seconds": 0.1, "process_mb": 90},
        {"phase": "start with 10 times", "start_seconds": 2, "load_seconds": 0.5, "process_mb": 99},
    ]
    rates = assessment.load(results)[1]
    assert [row[0] for row in rates] == ["100", "1,000", "10,000", "17,500"]
    assert rates[-1][5] == "40"
    assert "highest rate that was answered whole is 10,000" in assessment.model(results)
    assert len(assessment.events(results)[1]) == 4
    by_copies = assessment.availability(results)[1]
    assert [row[0] for row in by_copies] == ["1", "2", "3"]
    said = assessment.limits(results, 13_104, 0.1)
    # 1.2 of 2 cores at 80 µs are 15,000 requests a second.
    assert "need 7 copies" in said
    assert "starts in 1.5 s" in said

    assert assessment.availability(results[:4])[1] == []
    assert "too few for the model" in assessment.model(results[2:4])
    assert assessment.limits([], 0, 0) == "- Not one rate was answered whole."
