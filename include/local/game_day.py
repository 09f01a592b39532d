"""`wandle game-day`: break the local platform on purpose, so that a team can practise finding it.

What a restore needs is written to `game-day.json` in the state folder before anything is broken.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import sql

from include.definitions import did_you_mean
from include.errors import PermanentError, UnknownName
from include.jobs.lake import Lake, lake_of
from include.jobs.pipeline.books import ledger_entries
from include.jobs.pipeline.ingest import ingest
from include.jobs.pipeline.plan import plan
from include.landing.store import page_prefix
from include.local import platform
from include.local.home import read_json, write_private
from include.local.processes import recorded
from include.local.services.airflow_api import AirflowApi
from include.local.services.airflow_dags import AirflowDags
from include.local.state import generated_password, prepare
from include.local.status import NAMES
from include.settings import Settings
from include.sources.model import Contract, contract
from include.sources.partition import Partition

STATE = "game-day.json"
FAULTS = "faults.json"
READER = "wandle_reader"

# What a scenario needs to be undone.
Notes = dict[str, Any]


@dataclass(frozen=True)
class Scenario:
    """Something that breaks: what the team hears, how it is found, and what it was.

    `note` chooses what to break, and changes nothing but what a team would have loaded anyway.
    `undo` also works if the team has repaired it, or if breaking it was interrupted.
    """

    name: str
    heard: str
    found_by: str
    cause: str
    note: Callable[[Settings], Notes]
    do: Callable[[Settings, Notes], None]
    undo: Callable[[Settings, Notes], None]


def begin(settings: Settings, name: str = "") -> Scenario:
    """Break what the scenario breaks; by default, any one. Returns it.

    Raises `UnknownName`, and `PermanentError` if this is not a running local platform of the
    sandbox, or if something is broken already.
    """
    _refuse_real_data(settings)
    if (settings.home / STATE).exists():
        raise PermanentError(
            "game-day: something is broken already. Find it, or run `wandle game-day --restore`."
        )
    starts = {name: recorded(settings.home, name) for name in NAMES}
    if stopped := [name for name, start in starts.items() if not (start and start.process())]:
        raise PermanentError(
            f"game-day: not running: {', '.join(stopped)}. Start the platform first: `wandle up`."
        )
    if name and name not in SCENARIOS:
        known = ", ".join(SCENARIOS)
        raise UnknownName(
            f"game-day: unknown scenario {name!r}. Known: {known}.{did_you_mean(name, SCENARIOS)}"
        )
    scenario = SCENARIOS[name or secrets.choice(list(SCENARIOS))]
    # Addresses and logins of this machine's platform, from its state folder alone.
    local = prepare(settings)
    notes = scenario.note(local)
    began = datetime.now(UTC).isoformat(timespec="seconds")
    kept = {"scenario": scenario.name, "began": began, "notes": notes}
    write_private(settings.home / STATE, json.dumps(kept) + "\n")
    scenario.do(local, notes)
    return scenario


def current(settings: Settings) -> Scenario | None:
    """What is broken now, if anything is."""
    kept = read_json(settings.home / STATE)
    return SCENARIOS[kept["scenario"]] if kept else None


def restore(settings: Settings) -> Scenario | None:
    """Undo what is broken; None if nothing is. Raises as `begin` and the jobs do."""
    kept = read_json(settings.home / STATE)
    if kept is None:
        return None
    _refuse_real_data(settings)
    scenario = SCENARIOS[kept["scenario"]]
    scenario.undo(prepare(settings), kept["notes"])
    (settings.home / STATE).unlink()
    return scenario


def _refuse_real_data(settings: Settings) -> None:
    if settings.environment or settings.origin != "sandbox":
        raise PermanentError(
            "game-day: only a local platform of the sandbox may be broken, never AWS, the live "
            "APIs or recorded responses. Unset WANDLE_ENVIRONMENT, WANDLE_LIVE and "
            "WANDLE_PAYLOADS, or start one with its own WANDLE_HOME: `make demo`."
        )
    settings.refuse_other_origin()


def _loaded(settings: Settings) -> dict[str, Any]:
    """Any partition that is loaded, by its entry in the ledger."""
    entries = ledger_entries(settings.need("loader_dsn"), statuses=("loaded", "unchanged"))
    found = [entry for entry in entries if entry["loaded"]]
    if not found:
        raise PermanentError("game-day: nothing is loaded yet. Run `make demo` first.")
    chosen = secrets.choice(found)
    return {name: chosen[name] for name in ("source", "council", "period")}


def _partition(notes: Notes) -> tuple[Contract, Partition]:
    known = contract(notes["source"])
    period = known.parse_period(notes["period"])
    return known, Partition(known.name, notes["council"], period)


def _load(settings: Settings, found: Contract, some: list[Partition], *, fetch: bool) -> None:
    """Load partitions; without `fetch`, from S3 alone. Raises what the first failure raised."""
    outcomes = ingest(
        found,
        some,
        lake=lake_of(settings),
        dsn=settings.need("loader_dsn"),
        forced_by=None if fetch else "game-day",
        fetch=fetch,
    )
    for error in [outcome.error for outcome in outcomes if outcome.error]:
        raise error


# Rows are lost.


def _lose_rows(settings: Settings, notes: Notes) -> None:
    _, partition = _partition(notes)
    table = sql.Identifier("raw", partition.source)
    where = (partition.council, partition.period.in_table)
    with psycopg.connect(settings.need("admin_dsn")) as connection:
        connection.execute(
            sql.SQL("delete from {} where _council = %s and _period = %s").format(table), where
        )


def _load_rows(settings: Settings, notes: Notes) -> None:
    found, partition = _partition(notes)
    _load(settings, found, [partition], fetch=False)


# A landing is damaged.


def _note_page(settings: Settings) -> Notes:
    notes = _loaded(settings)
    _, partition = _partition(notes)
    lake = lake_of(settings)
    manifest = lake.landings.newest_complete(partition)
    if manifest is None:
        raise PermanentError(f"game-day: {partition} has no landing. Run it again.")
    key = page_prefix(partition, manifest) + min(manifest.pages, key=lambda page: page.bytes).name
    body = lake.s3.get_object(Bucket=lake.bucket, Key=key)["Body"].read()
    return {**notes, "key": key, "body": base64.b64encode(body).decode()}


def _put(settings: Settings, notes: Notes, change: Callable[[bytes], bytes]) -> None:
    lake: Lake = lake_of(settings)
    body = change(base64.b64decode(notes["body"]))
    lake.s3.put_object(Bucket=lake.bucket, Key=notes["key"], Body=body)


def _damage_page(settings: Settings, notes: Notes) -> None:
    _put(settings, notes, lambda body: body[: len(body) // 2])


def _put_page(settings: Settings, notes: Notes) -> None:
    _put(settings, notes, lambda body: body)


# A publisher answers otherwise than before.


def _answers(source: str, rule: dict[str, Any]) -> dict[str, Callable[..., Any]]:
    """A source whose API answers with a fault of the sandbox (`sandbox/middleware/faults.py`)."""

    def fetch(settings: Settings) -> None:
        found = contract(source)
        now = datetime.now(UTC)
        _load(settings, found, plan(found, today=now, interval=(now, now)), fetch=True)

    def note(settings: Settings) -> Notes:
        fetch(settings)
        path = settings.home / FAULTS
        return {"faults": path.read_text(encoding="utf-8") if path.exists() else ""}

    def do(settings: Settings, notes: Notes) -> None:
        rules = json.loads(notes["faults"] or "[]")
        write_private(settings.home / FAULTS, json.dumps([rule, *rules]))
        with suppress(PermanentError):
            fetch(settings)

    def undo(settings: Settings, notes: Notes) -> None:
        if notes["faults"]:
            write_private(settings.home / FAULTS, notes["faults"])
        else:
            (settings.home / FAULTS).unlink(missing_ok=True)
        fetch(settings)

    return {"note": note, "do": do, "undo": undo}


# A role cannot log in.


def _lock_out(settings: Settings, notes: Notes) -> None:
    change = sql.SQL("alter role {} password {}").format(
        sql.Identifier(READER), sql.Literal(generated_password())
    )
    with psycopg.connect(settings.need("admin_dsn")) as connection:
        connection.execute(change)


def _let_in(settings: Settings, notes: Notes) -> None:
    platform.migrate_warehouse(settings)


# Airflow does nothing.


def _kill_scheduler(settings: Settings, notes: Notes) -> None:
    start = recorded(settings.home, "scheduler")
    if start and (process := start.process()):
        process.kill()
        process.wait(timeout=10)


def _start_all(settings: Settings, notes: Notes) -> None:
    platform.up(settings, report=lambda line: None)


def _airflow(settings: Settings) -> AirflowApi:
    return AirflowApi(
        settings.need("airflow_url"), settings.airflow_user, settings.airflow_password
    )


def _pause(settings: Settings, notes: Notes) -> None:
    AirflowDags(_airflow(settings)).pause("transform")


def _unpause(settings: Settings, notes: Notes) -> None:
    _airflow(settings).unpause("transform")


def _nothing(settings: Settings) -> Notes:
    return {}


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario(
            "lost-rows",
            "The dashboard counted more last week than today. No run is red.",
            "wandle verify",
            "Somebody deleted the rows of a partition from its raw table, and the ledger still "
            "says `loaded`. `wandle reload` with `--force` loads them again from S3.",
            _loaded,
            _lose_rows,
            _load_rows,
        ),
        Scenario(
            "damaged-landing",
            "The auditor asks for the original of one of our figures. `wandle explain` refuses.",
            "wandle verify --deep",
            "Half of an object in S3 is gone. The rows are as they were; its checksum does not "
            "match. On AWS the version before is restored.",
            _note_page,
            _damage_page,
            _put_page,
        ),
        Scenario(
            "changed-field",
            "A gauge was moved this morning. On our map it is still at its old place.",
            "wandle ledger --status refused",
            "The API answers 200, but `lat` is an object now. A check refused the load, so readers "
            "see the old rows. Ask the publisher, and change the contract if it stays so.",
            **_answers(
                "flood_stations",
                {"match": {"path": "stations"}, "fault": "wrong-type", "field": "lat"},
            ),
        ),
        Scenario(
            "publisher-gone",
            "The calendar of next year is missing, although GOV.UK has it.",
            "wandle ledger --status failed",
            "The API answers 404: its address has changed. Correct `base_url` or `request.path` in "
            "the contract.",
            **_answers("bank_holidays", {"match": {"path": "bank-holidays"}, "fault": "404"}),
        ),
        Scenario(
            "locked-out",
            "Power BI asks for a password since this morning.",
            "wandle doctor",
            "The password of wandle_reader was changed. `wandle up` sets it again. If none of you "
            "did it, somebody else knows the old one: replace it.",
            _nothing,
            _lock_out,
            _let_in,
        ),
        Scenario(
            "stopped-scheduler",
            "The run that I triggered stays queued.",
            "wandle status",
            "The scheduler was killed. `wandle up` starts it again, and nothing is lost.",
            _nothing,
            _kill_scheduler,
            _start_all,
        ),
        Scenario(
            "paused-transform",
            "Yesterday's weather is in the raw table, and not on the dashboard.",
            "wandle status",
            "Somebody paused the DAG `transform`. Unpause it in Airflow.",
            _nothing,
            _pause,
            _unpause,
        ),
    )
}
