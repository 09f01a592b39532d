"""The command line against real services: ingest, reload, ledger, quarantine."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from include.councils.model import council
from include.sources.model import contracts
from sandbox.app import create_app
from tests.integration.conftest import AS_OF, serving
from tests.recorded import PAYLOADS, needs_payloads

THIS_MONTH = f"{datetime.now(UTC):%Y-%m}"
KEYS = [
    "source", "council", "period", "records", "loaded", "quarantined", "duplicates", "status",
    "content_hash", "landing", "seconds",
]  # fmt: skip


@pytest.fixture
def api(generated, monkeypatch):
    """The generated sandbox as the API."""
    monkeypatch.setenv("WANDLE_SANDBOX_URL", generated)


def ledger(wandle: Any, *options: str) -> list[dict[str, Any]]:
    code, out, _ = wandle("ledger", "--json", *options)
    assert code == 0
    return json.loads(out)


def recorded(folder: Path, **bodies: bytes) -> Path:
    """May 2017 for every ward of Sutton: one crime each, or the body given for a ward."""
    month = folder / "police" / "crimes" / "sutton" / "2017-05"
    month.mkdir(parents=True)
    (folder / "police" / "boundaries").mkdir()
    for number, ward in enumerate(council("sutton").wards_on(AS_OF), start=1):
        crime = {"id": number, "category": "burglary", "month": "2017-05", "persistent_id": ""}
        (month / f"{ward.code}.json").write_bytes(
            bodies.get(ward.code, json.dumps([crime]).encode())
        )
    return folder


@pytest.fixture
def recording(payloads, monkeypatch):
    """Serves recorded bodies as the API until told to stop."""

    def serve(**bodies: bytes) -> Any:
        served = serving(
            create_app(
                seed=1, as_of=AS_OF, payloads=recorded(payloads, **bodies), rate_per_second=1e6,
                burst=1_000_000,
            )
        )  # fmt: skip
        monkeypatch.setenv("WANDLE_SANDBOX_URL", served.__enter__())
        return served

    return serve


def test_the_whole_path_by_hand(wandle, api, warehouse):
    assert wandle("ingest", "police_ward_boundaries")[0] == 0
    code, out, _ = wandle(
        *("ingest", "police_street_crime", "-c", "kingston", "-c", "sutton"),
        *("--from", "2026-06", "--to", "2026-07"),
    )

    assert code == 0
    assert out.count("loaded") >= 4
    crimes = [entry for entry in ledger(wandle) if entry["source"] == "police_street_crime"]
    assert [(entry["council"], entry["period"]) for entry in crimes] == [
        (name, month) for name in ("kingston", "sutton") for month in ("2026-06", "2026-07")
    ]
    for entry in crimes:
        parts = entry["loaded"] + entry["quarantined"] + entry["duplicates"]
        assert entry["records"] == parts > 100
    assert warehouse.value("select count(*) from raw.police_street_crime") == sum(
        entry["loaded"] for entry in crimes
    )


def test_ingesting_twice_is_unchanged(wandle, api):
    wandle("ingest", "police_ward_boundaries", "-c", "sutton")
    for _ in range(2):
        wandle("ingest", "police_street_crime", "-c", "sutton", "-p", "2026-06")

    history = [
        entry for entry in ledger(wandle, "--history") if entry["source"] == "police_street_crime"
    ]
    assert [entry["status"] for entry in history] == ["loaded", "unchanged"]
    assert history[0]["content_hash"] == history[1]["content_hash"]


def test_the_ledger_as_json_has_the_promised_keys_in_order(wandle, api):
    wandle("ingest", "police_ward_boundaries", "-c", "sutton")

    (entry,) = ledger(wandle)

    assert list(entry)[: len(KEYS)] == KEYS
    assert (entry["period"], entry["status"]) == (THIS_MONTH, "loaded")


def test_reload_rebuilds_an_emptied_table_with_the_api_down(wandle, recording, warehouse):
    served = recording()
    wandle("ingest", "police_ward_boundaries", "-c", "sutton")
    wandle("ingest", "police_street_crime", "-c", "sutton", "-p", "2017-05")
    served.__exit__(None, None, None)
    before = {entry["source"]: entry["content_hash"] for entry in ledger(wandle)}
    rows = "select * from raw.police_street_crime order by id"
    held = warehouse.query(rows)
    warehouse.query("truncate raw.police_street_crime, raw.police_ward_boundaries")

    code, _, _ = wandle("reload", "--all")

    assert code == 0
    assert warehouse.query(rows) == held != []
    newest = ledger(wandle)
    assert {entry["source"]: entry["content_hash"] for entry in newest} == before
    assert {entry["status"] for entry in newest} == {"loaded"}


def test_a_partition_that_fails_does_not_block_others(wandle, api):
    wandle("ingest", "police_ward_boundaries", "-c", "sutton")

    code, out, err = wandle(
        "ingest", "police_street_crime", "-c", "sutton", "--from", "2023-09", "--to", "2023-10"
    )

    assert code == 1
    assert "failed police_street_crime sutton 2023-09: HTTP 404" in err
    assert "1 of 2 partitions failed" in err
    assert "2023-10" in out
    crimes = [entry for entry in ledger(wandle) if "crime" in entry["source"]]
    assert [(entry["period"], entry["step"], entry["status"]) for entry in crimes] == [
        ("2023-09", "extract", "failed"), ("2023-10", "load", "loaded"),
    ]  # fmt: skip


def test_one_cause_is_reported_once_and_the_ledger_keeps_it(wandle, api):
    wandle("ingest", "police_ward_boundaries", "-c", "sutton")

    code, out, err = wandle(
        "ingest", "police_street_crime", "-c", "sutton", "--from", "2023-07", "--to", "2023-09"
    )
    listed = wandle("ledger", "--status", "failed")

    assert code == 1
    assert out == ""
    assert err.count("HTTP 404") == 1
    assert "failed for the same reason: police_street_crime sutton 2023-08, sutton 2023-09" in err
    assert "3 of 3 partitions failed" in err
    assert "The others" not in err
    assert listed[0] == 0
    assert listed[1].count("HTTP 404") == 1
    where = "sutton 2023-07, sutton 2023-08, sutton 2023-09"
    assert f"police_street_crime: extract failed: {where}" in listed[1]
    assert "ward_boundaries" not in listed[1]


def test_a_body_that_stays_cut_short_is_named_with_its_ward(wandle, recording):
    served = recording(E05000557=b'[{"id":')
    wandle("ingest", "police_ward_boundaries", "-c", "sutton")

    code, _, err = wandle("ingest", "police_street_crime", "-c", "sutton", "-p", "2017-05")
    served.__exit__(None, None, None)

    assert code == 1
    assert "police_street_crime sutton 2017-05, E05000557" in err
    assert "cannot be read" in err
    assert "1 of 1 partition failed" in err


def test_records_that_break_the_contract_are_listed(wandle, recording, warehouse):
    crimes = [{"id": n, "category": "burglary", "month": "2017-05"} for n in range(100, 200)]
    spoilt = json.dumps([*crimes, {"id": 1, "category": "[/Odd]", "month": "May"}]).encode()
    served = recording(E05000557=spoilt)
    wandle("ingest", "police_ward_boundaries", "-c", "sutton")
    wandle("ingest", "police_street_crime", "-c", "sutton", "-p", "2017-05")
    served.__exit__(None, None, None)

    code, out, _ = wandle("quarantine")
    (row,) = json.loads(wandle("quarantine", "--json")[1])

    assert code == 0
    assert "[/Odd]" in out
    assert (row["column"], row["rule"], row["value"]) == ("category", "pattern", '"[/Odd]"')
    assert (row["source"], row["period"]) == ("police_street_crime", "2017-05")


def test_a_missing_landing_to_reload_is_reported(wandle):
    code, _, err = wandle("reload", "--all")

    assert code == 1
    assert "S3 has no matching landings" in err


def test_an_unpublished_month_is_not_a_failure(wandle, api):
    wandle("ingest", "police_ward_boundaries", "-c", "sutton")

    code, out, _ = wandle("ingest", "police_street_crime", "-c", "sutton", "-p", "2026-10")

    assert code == 0
    assert "not_published" in out


@needs_payloads
def test_a_recorded_month_arrives_whole(wandle, monkeypatch):
    expected = json.loads((PAYLOADS / "police" / "EXPECTED.json").read_text())
    app = create_app(
        seed=1, as_of=AS_OF, payloads=PAYLOADS, rate_per_second=1e6, burst=1_000_000
    )  # fmt: skip
    with serving(app) as url:
        monkeypatch.setenv("WANDLE_SANDBOX_URL", url)
        wandle("ingest", "police_ward_boundaries", "-c", "kingston")
        wandle("ingest", "police_street_crime", "-c", "kingston", "-p", "2017-05")

    (entry,) = [item for item in ledger(wandle) if item["source"] == "police_street_crime"]
    month = expected["kingston"]["2017-05"] if "kingston" in expected else None
    assert entry["status"] == "loaded"
    assert month is not None
    assert entry["records"] == month["records"]
    assert entry["quarantined"] == 0


def test_replay_empties_the_quarantine_once_the_contract_is_fixed(wandle, recording, monkeypatch):
    shipped = contracts()["police_street_crime"]
    columns = tuple(
        column.model_copy(update={"pattern": "[c-z-]+"}) if column.name == "category" else column
        for column in shipped.columns
    )
    checks = shipped.checks.model_copy(update={"max_quarantined_share": 1})
    broken = shipped.model_copy(update={"columns": columns, "checks": checks})
    served = recording()
    wandle("ingest", "police_ward_boundaries", "-c", "sutton")
    with monkeypatch.context() as patch:
        patch.setitem(contracts(), shipped.name, broken)
        wandle("ingest", "police_street_crime", "-c", "sutton", "-p", "2017-05")
        unmended = wandle("replay")
    served.__exit__(None, None, None)
    waiting = len(json.loads(wandle("quarantine", "--json")[1]))

    code, out, _ = wandle("replay", "police_street_crime")

    assert (unmended[0], waiting) == (0, 18)
    assert "unchanged" in unmended[1]
    assert code == 0
    assert "loaded" in out
    assert json.loads(wandle("quarantine", "--json")[1]) == []
    assert "Nothing to replay" in wandle("replay")[1]
