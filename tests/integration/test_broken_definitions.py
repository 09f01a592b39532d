"""Commands while a contract is broken: what needs only others works, what needs all ends red."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml

from include.jobs.author.validate import validate
from include.jobs.operate.freshness import watch
from include.jobs.pipeline import replay
from include.sources.model import contract, contracts
from tests.broken import Definitions, copied
from tests.integration.landings import land
from tests.samples import contract_fields

# One broken, two that are not: a source with personal data, and one whose data are here.
BROKEN, PEOPLE, DATA = "gauges", "people", "meters"
PERIOD = "2026-09"


def definition(name: str, **changes: Any) -> str:
    return yaml.safe_dump(contract_fields(name=name) | changes)


@pytest.fixture
def copy(tmp_path, warehouse) -> Iterator[Definitions]:
    """Three contracts, of which the first is broken once its data are loaded."""
    with copied(tmp_path / "definitions") as found:
        for path in found.sources.glob("*.yaml"):
            path.unlink()
        people = [
            {"name": "id", "type": "text", "description": "A name.", "personal": "keep"},
        ]
        for name, changes in (
            (BROKEN, {}),
            (DATA, {}),
            (PEOPLE, {"columns": people, "retention_days": 3650, "key": []}),
        ):
            found.write(found.sources / f"{name}.yaml", definition(name, **changes))
        yield found


@pytest.fixture
def loaded(copy, lake, new_database, monkeypatch, wandle):
    """Data of all three in a warehouse of their own; then the first contract is broken."""
    database = new_database()
    monkeypatch.setenv("WANDLE_ADMIN_DSN", database.admin)
    assert wandle("migrate")[0] == 0
    monkeypatch.setenv("WANDLE_LOADER_DSN", database.dsn())
    monkeypatch.setenv("WANDLE_TRANSFORMER_DSN", database.dsn("wandle_transformer"))
    monkeypatch.setenv("WANDLE_PUBLISHER_DSN", database.dsn("wandle_publisher"))
    monkeypatch.setenv("WANDLE_PSEUDONYM_KEY", "k" * 64)
    for name in (BROKEN, DATA, PEOPLE):
        records = [{"id": "Jo"}] if name == PEOPLE else [{"id": 1}, {"id": "x"}]
        land(lake, contract(name), records, council="sutton", period=PERIOD)
        assert wandle("reload", name)[0] == 0
    copy.break_(BROKEN)
    return database


NAMED = rf"{BROKEN}\.yaml: line \d+, field `publsher`: unknown field"


@pytest.mark.parametrize(
    "command",
    [
        ("ledger",),
        ("ledger", "--history"),
        ("quarantine",),
        ("reload", DATA),
        ("drift", DATA),
        ("explain", f"raw.{DATA}", "--key", "id=1"),
    ],
    ids=" ".join,
)
def test_what_needs_only_other_contracts_works(loaded, wandle, command):
    code, out, error = wandle(*command)

    assert (code, error) == (0, "")
    assert out


@pytest.mark.parametrize("command", [("ingest", BROKEN), ("reload", BROKEN)], ids=" ".join)
def test_what_needs_the_broken_contract_names_it(loaded, wandle, command):
    code, _, error = wandle(*command, "--period", PERIOD)

    assert code == 1
    assert re.search(NAMED, error)


def test_migrate_makes_the_other_tables_and_ends_red(loaded, copy, wandle):
    copy.write(copy.sources / "new.yaml", definition("new"))

    code, out, error = wandle("migrate")

    assert code == 1
    assert "created raw.new" in out
    assert re.search(NAMED, error)
    assert loaded.value("select count(*) from raw.gauges") == 1


def test_housekeeping_keeps_the_retention_that_the_database_recorded(loaded, wandle):
    code, out, _ = wandle("housekeeping")

    assert (code, "Nothing to delete" in out) == (0, True)


def test_drift_and_reload_of_all_do_the_others_and_end_red(loaded, wandle):
    for command in (("drift",), ("reload", "--all")):
        code, out, error = wandle(*command)

        assert code == 1, command
        assert out
        assert re.search(NAMED, error)


def test_verify_compares_the_others_and_names_the_broken_one(loaded, wandle):
    code, out, _ = wandle("verify", "--json")

    found = json.loads(out)
    assert code == 1
    assert found["partitions"] >= 2
    (one,) = found["differences"]
    assert one["source"] == BROKEN
    assert re.search(NAMED, one["what"])
    assert found["passed_over"] == []


def test_replay_loads_what_it_can_and_names_the_broken_one(loaded, wandle):
    planned = replay.plan(loaded.dsn())
    code, _, error = wandle("replay")

    assert [partition.source for partition in planned] == [BROKEN, DATA]
    assert code == 1
    assert re.search(NAMED, error)
    assert loaded.value(f"select count(*) from ops.load where source = '{DATA}'") == 2


def test_erasing_a_person_does_not_claim_to_be_complete(loaded, wandle):
    """Whether the broken source was requested with values of this one is not known."""
    code, out, error = wandle("erase", PEOPLE, "--key", "id=Jo")

    assert code == 1
    assert "1 record in 1 landing to erase" in out
    assert f"{BROKEN}: not known, because the contract is broken" in out
    assert re.search(NAMED, error)


def test_freshness_measures_the_others(loaded, caplog):
    measured = watch(dsn=loaded.dsn("wandle_transformer"))

    assert {item["source"] for item in measured} == {DATA, PEOPLE}
    assert re.search(NAMED, caplog.text)


def test_validate_compares_the_tables_of_the_others(loaded):
    said = validate(loaded.dsn()).differences

    assert sum(bool(re.search(NAMED, line)) for line in said) == 1
    assert [line for line in said if line.startswith("database:")] == []


@pytest.mark.usefixtures("generated")
def test_a_child_of_a_broken_parent_names_the_parents_file(loaded, copy, wandle):
    extract = contract_fields()["extract"] | {
        "parents": {"ids": {"source": BROKEN, "each": "{id}"}},
        "request": {"path": "/x", "query": {"ids": "{ids}"}},
    }
    copy.write(copy.sources / "child.yaml", definition("child", extract=extract))
    now = datetime.now(UTC).date()

    code, _, error = wandle("ingest", "child", "--council", "sutton", "--period", f"{now:%Y-%m}")

    assert "child" in contracts()
    assert code == 1
    assert re.search(NAMED, error)
