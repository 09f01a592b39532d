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
from pathlib import Path
from typing import Any

import psycopg
import yaml
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

WORDS = Path(__file__).with_suffix(".yaml")
STATE = "game-day.json"
FAULTS = "faults.json"
READER = "wandle_reader"

# What a scenario needs to be undone.
Notes = dict[str, Any]


@dataclass(frozen=True)
class Steps:
    """How something is broken.

    `note` chooses what to break, and changes nothing but what a team would have loaded anyway.
    `undo` also works if the team has repaired it, or if breaking it was interrupted.
    """

    note: Callable[[Settings], Notes]
    do: Callable[[Settings, Notes], None]
    undo: Callable[[Settings, Notes], None]


@dataclass(frozen=True)
class Scenario:
    """Something that breaks: what the team hears, how it is found, and what it was."""

    name: str
    heard: str
    found_by: str
    cause: str
    steps: Steps


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
    notes = scenario.steps.note(local)
    began = datetime.now(UTC).isoformat(timespec="seconds")
    kept = {"scenario": scenario.name, "began": began, "notes": notes}
    write_private(settings.home / STATE, json.dumps(kept) + "\n")
    scenario.steps.do(local, notes)
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
    scenario.steps.undo(prepare(settings), kept["notes"])
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


def _answers(source: str, rule: dict[str, Any]) -> Steps:
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

    return Steps(note, do, undo)


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


# What each scenario does; an API that answers otherwise is in the YAML file.
_STEPS: dict[str, Steps] = {
    "lost-rows": Steps(_loaded, _lose_rows, _load_rows),
    "damaged-landing": Steps(_note_page, _damage_page, _put_page),
    "locked-out": Steps(_nothing, _lock_out, _let_in),
    "stopped-scheduler": Steps(_nothing, _kill_scheduler, _start_all),
    "paused-transform": Steps(_nothing, _pause, _unpause),
}


def _scenario(said: dict[str, Any]) -> Scenario:
    words = (said["name"], said["heard"], said["found_by"], said["cause"])
    if "source" in said:
        return Scenario(*words, _answers(said["source"], said["rule"]))
    return Scenario(*words, _STEPS[said["name"]])


SCENARIOS = {
    said["name"]: _scenario(said) for said in yaml.safe_load(WORDS.read_text(encoding="utf-8"))
}
