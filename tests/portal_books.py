"""Books of many sources with something of everything: loaded, missing, refused, quarantined."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from include.portal.overview import of
from include.portal.states import window
from include.sources.model import Contract

SCRIPT = "<script>alert('portal')</script>"
# More than any page shows of a source.
PERIODS = 26
# The end of the landings written here.
WRITTEN = "0123456789"


def fill(
    dsn: str, contracts: Iterable[Contract], councils: Mapping[str, str], now: datetime
) -> None:
    """Write entries, landings, quarantine, drift and results of dbt; always the same."""
    chance = random.Random(7)  # noqa: S311, not a secret
    with psycopg.connect(dsn) as connection:
        for contract in contracts:
            for council in of(contract, councils):
                _partitions(connection, contract, council, now, chance)
            connection.execute(
                "insert into ops.contract (source, contract_hash, content) values (%s, %s, %s) "
                "on conflict do nothing",
                (contract.name, contract.contract_hash, contract.as_recorded),
            )
        _drift(connection, now)
        _built(connection, now)


def _partitions(
    connection: psycopg.Connection,
    contract: Contract,
    council: str,
    now: datetime,
    chance: random.Random,
) -> None:
    periods = window(contract, now, PERIODS).periods
    begun = len(periods) // 8
    for n, period in enumerate(periods[begun:], begun):
        lucky = chance.random()
        if lucky > 0.9 and n not in (begun, len(periods) - 1):
            continue
        status = "loaded" if lucky < 0.62 else "unchanged"
        if lucky > 0.86:
            status = chance.choice(["refused", "failed"])
        records = int(900 + 400 * chance.random() + 12 * n)
        at = min(now - timedelta(minutes=30), period.end + timedelta(days=2))
        entry = {
            "source": contract.name,
            "council": council,
            "period": period.starts_at,
            "at": at,
            "records": records,
            "hash": contract.contract_hash,
        }
        write(connection, entry)
        if status != "loaded":
            write(connection, entry | {"status": status, "at": at + timedelta(hours=1)})


def write(connection: psycopg.Connection, changes: Mapping[str, Any]) -> None:
    """One landing and one entry; `changes` of what is usual."""
    entry: dict[str, Any] = {
        "status": "loaded",
        "records": 1000,
        "quarantined": 0,
        "error": None,
        "run_id": "manual__2026-11-20T06:00:00+00:00",
        "hash": "1",
        "council": "sutton",
        "column": "id",
        "value": None,
        "record": '{"id": null, "note": "a note"}',
    } | dict(changes)
    entry["landing"] = f"{entry['at']:%Y%m%dT%H%M%S}000000Z-{WRITTEN}"
    bad = entry["status"] in ("refused", "failed")
    if bad:
        entry["error"] = entry["error"] or (
            f"{entry['source']} {entry['council']}: the API answered 503 four times. "
            "Try again later."
        )
    else:
        entry["quarantined"] = entry["quarantined"] or (entry["records"] % 11 == 0) * 3
    entry["loaded"] = 0 if bad else entry["records"] - entry["quarantined"]
    entry["records"] = 0 if bad else entry["records"]
    connection.execute(_LANDING, entry)
    connection.execute(_LOAD, entry)
    for number in range(entry["quarantined"]):
        connection.execute(_QUARANTINE, entry | {"number": number + 1})


_LANDING = """
insert into ops.landing (source, council, period, landing_id, outcome, run_id, code_version,
    contract_hash, pages_hash, pages, records, bytes, started_at, finished_at, parents)
values (%(source)s, %(council)s, %(period)s, %(landing)s, 'complete', %(run_id)s, 'test',
    %(hash)s, '', 3, %(records)s, %(records)s * 310, %(at)s - interval '40 s', %(at)s, '{}')
on conflict do nothing
"""
_LOAD = """
insert into ops.load (source, council, period, landing_id, status, records, loaded, quarantined,
    duplicates, pages, bytes, pages_hash, rules_hash, contract_hash, code_version, run_id, error,
    started_at, finished_at, seconds, rows)
values (%(source)s, %(council)s, %(period)s, %(landing)s, %(status)s, %(records)s, %(loaded)s,
    %(quarantined)s, 0, 3, %(records)s * 310, '', '', %(hash)s, 'test', %(run_id)s, %(error)s,
    %(at)s - interval '4 s', %(at)s, 4.2, %(loaded)s)
"""
_QUARANTINE = """
insert into ops.quarantine (source, council, period, landing_id, record_no, page, page_record_no,
    column_name, rule, value, record, found_at, responsible)
values (%(source)s, %(council)s, %(period)s, %(landing)s, %(number)s, 'page-0001.json.gz',
    %(number)s, %(column)s, 'required', %(value)s, %(record)s, %(at)s, 'publisher')
on conflict do nothing
"""


def _drift(connection: psycopg.Connection, now: datetime) -> None:
    connection.execute(
        "insert into ops.schema_drift (source, field, first_seen, landing_id, samples, type) "
        "values ('police_street_crime', 'outcome_code', %s, 'x', '[\"a secret sample\"]', 'text') "
        "on conflict do nothing",
        (now - timedelta(days=3),),
    )


def _built(connection: psycopg.Connection, now: datetime) -> None:
    models = {
        "staging": ["stg_police_street_crime", "stg_weather_hourly"],
        "intermediate": ["int_ward_months"],
        "marts": ["ward_crime_monthly", "weather_daily"],
    }
    for number, (layer, names) in enumerate(models.items()):
        invocation = f"test-{layer}"
        connection.execute(
            "insert into ops.dbt_run (run_id, invocation_id, layer, started_at, status, nodes, "
            "failed) values ('manual__x', %s, %s, %s, 'success', 1, 0) on conflict do nothing",
            (invocation, layer, now - timedelta(hours=2) + timedelta(minutes=number)),
        )
        for name in names:
            results = [(f"model.wandle.{name}", "model", "success")]
            results += [
                (f"test.wandle.not_null_{name}_{column}.0a1b", "test", "pass")
                for column in ("council", "month")
            ]
            if name == "weather_daily":
                results.append((f"test.wandle.unique_{name}_day.0a1b", "test", "fail"))
            for unique_id, kind, status in results:
                connection.execute(
                    "insert into ops.dbt_node (run_id, invocation_id, unique_id, resource_type, "
                    "status, execution_seconds, message) "
                    "values ('manual__x', %s, %s, %s, %s, 1.5, '') on conflict do nothing",
                    (invocation, unique_id, kind, status),
                )


# Newest period, loaded in each council for so many months; then `unchanged` in every third.
MANY = """
insert into ops.load (source, council, period, landing_id, status, records, loaded, quarantined,
    duplicates, pages, bytes, pages_hash, rules_hash, contract_hash, code_version, run_id,
    started_at, finished_at, seconds)
select source, council, (%(newest)s::timestamp - n * interval '1 month'), 'x',
    case when n %% 3 = 0 then 'unchanged' else 'loaded' end, 1000, 1000, 0, 0, 1, 1, '', '', '',
    'test', 'manual__x', %(now)s, %(now)s, 1
from unnest(%(sources)s::text[]) as source, unnest(%(councils)s::text[]) as council,
    generate_series(0, %(months)s - 1) as n
where not (source = %(sources)s[1] and council = %(councils)s[1] and n = 1)
"""


def fill_many(
    dsn: str, sources: list[str], councils: list[str], newest: datetime, months: int
) -> None:
    """Entries for each source, council and month, but one; its period before the newest."""
    values = {
        "sources": sources,
        "councils": councils,
        "newest": newest,
        "months": months,
        "now": datetime.now(UTC),
    }
    with psycopg.connect(dsn) as connection:
        connection.execute(MANY, values)
        connection.execute("analyze ops.load")
