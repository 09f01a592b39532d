"""Real runs of `replay_quarantine`: after a contract is repaired, its records come out of it."""

from __future__ import annotations

import pytest

from include.sources.model import Contract, contracts
from tests.dags.running import Run

REPLAY = "replay_quarantine"
WARDS = "police_ward_boundaries"
CRIME = "police_street_crime"
SPRING = {"councils": ["sutton"], "from": "2026-03", "to": "2026-04"}
MAY = {"councils": ["sutton"], "from": "2026-05"}
PERIODS = ("2026-03", "2026-04", "2026-05")
# The warehouse is shared with other tests, which load later months.
OF_SPRING = "council = 'sutton' AND period < '2026-06-01'"
QUARANTINED = f"SELECT count(*) FROM ops.quarantine WHERE source = '{CRIME}'"
ROWS = f"SELECT count(*) FROM raw.{CRIME} WHERE _council = 'sutton' AND _period < '2026-06-01'"
NEWEST = f"""
    SELECT DISTINCT ON (period) status, records - loaded - duplicates FROM ops.load
    WHERE source = '{CRIME}' AND {OF_SPRING} ORDER BY period, load_id DESC
"""


def as_somebody_broke_it(share: float, known: str = "[a-rt-z]") -> Contract:
    """The contract with only categories that begin differently; `share` may be quarantined."""
    shipped = contracts()[CRIME]
    columns = tuple(
        column.model_copy(update={"pattern": f"{known}[a-z-]*"})
        if column.name == "category"
        else column
        for column in shipped.columns
    )
    checks = shipped.checks.model_copy(update={"max_quarantined_share": share})
    return shipped.model_copy(update={"columns": columns, "checks": checks})


@pytest.fixture(scope="module")
def broken(start, services) -> Run:
    """Two months loaded by the broken contract, and one refused, since too much broke it."""
    services.repair()
    start(f"ingest_{WARDS}", {"councils": ["sutton"]})
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(contracts(), CRIME, as_somebody_broke_it(share=1))
        start(f"ingest_{CRIME}", SPRING)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(contracts(), CRIME, as_somebody_broke_it(share=0))
        return start(f"ingest_{CRIME}", MAY)


@pytest.fixture(scope="module")
def refused(start, broken) -> Run:
    """A replay after the contract was made worse instead of repaired."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(contracts(), CRIME, as_somebody_broke_it(share=0, known="[c-rt-z]"))
        return start(REPLAY, {"source": CRIME})


@pytest.fixture(scope="module")
def replayed(start, services, refused) -> Run:
    """A replay by the contract as it is shipped, while no API answers."""
    services.fail(fault="500")
    run = start(REPLAY, {})
    services.repair()
    return run


def test_what_breaks_the_contract_is_in_quarantine_or_refused(world, broken):
    assert [status for status, _ in world.query(NEWEST)] == ["loaded", "loaded", "refused"]
    assert world.query(QUARANTINED) > [(10,)]
    assert broken.announced == []


def test_a_replay_that_a_check_refuses_is_red_and_names_each_partition(refused):
    assert refused.state == "failed"
    assert {name: state for name, state in refused.states.items() if name.startswith("replay")} == {
        f"replay {CRIME} sutton {period}": "failed" for period in PERIODS
    }
    assert refused.tries[f"replay {CRIME} sutton {PERIODS[0]}"] == 1
    named = ", ".join(f"sutton {period}" for period in PERIODS)
    assert f"{CRIME}: 3 of 3 partitions failed: {named} (load refused: " in refused.said
    assert refused.announced == []


def test_a_replay_loads_what_was_quarantined_and_what_was_refused_without_the_api(world, replayed):
    assert replayed.state == "success"
    assert replayed.states == {
        "plan": "success",
        **{f"replay {CRIME} sutton {period}": "success" for period in PERIODS},
        "announce": "success",
        "reconcile": "success",
    }
    assert world.query(NEWEST) == [("loaded", 0)] * 3
    assert world.query(QUARANTINED) == [(0,)]
    loaded = world.query(
        f"SELECT sum(loaded) FROM ops.load WHERE run_id = '{replayed.run_id}' AND status = 'loaded'"
    )
    assert world.query(ROWS) == loaded > [(100,)]


def test_the_tables_that_changed_are_announced_and_no_other(replayed):
    assert replayed.announced == [f"raw.{CRIME}"]


def test_a_replay_with_nothing_to_do_is_green_and_announces_nothing(start, replayed):
    idle = start(REPLAY, {"source": WARDS})

    assert idle.state == "success"
    assert idle.states["announce"] == idle.states["replay"] == "skipped"
    assert idle.announced == []


def test_a_misspelt_parameter_is_refused_before_anything_is_done(start):
    run = start(REPLAY, {"sources": CRIME})

    assert run.state == "failed"
    assert "unknown parameter 'sources'. Known: source." in run.said
    assert run.states["replay"] == "upstream_failed"
