"""A source database like a council's case system, with requests of fictional residents.

It answers for every database that a contract names. Names, addresses and
numbers are invented; the telephone numbers are those that Ofcom keeps for
drama.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import psycopg
from psycopg import sql

from include.councils.model import Council, councils
from include.local.home import read_json
from include.local.state import CASES_DATABASE, CASES_ROLE, read_secrets
from include.settings import Settings

DAYS = 60
RESIDENTS = 400
MOST_OF_A_DAY = 24
DAYS_UNTIL_CLOSED = 9
SILENT_SHARE = 0.15

KINDS = (
    "missed bin", "fly-tipping", "pothole", "street light", "graffiti", "noise",
    "blocked gully", "overgrown tree",
)  # fmt: skip
FIRST_NAMES = ("Ada", "Bilal", "Cerys", "Dev", "Efua", "Finn", "Grace", "Hana", "Ivo", "Joy")
LAST_NAMES = ("Ashdown", "Begum", "Carter", "Diallo", "Evans", "Farrow", "Gupta", "Hughes")

TABLE = """
create schema if not exists crm;
create table if not exists crm.cases (
    case_id bigint primary key,
    council text not null,
    kind text not null,
    ward_code text,
    status text not null,
    opened_at timestamptz not null,
    updated_at timestamptz not null,
    closed_at timestamptz,
    resident_name text,
    email text,
    phone text,
    remarks text
);
create index if not exists cases_opened on crm.cases (council, opened_at);
"""
COLUMNS = (
    "case_id", "council", "kind", "ward_code", "status", "opened_at", "updated_at", "closed_at",
    "resident_name", "email", "phone", "remarks",
)  # fmt: skip


def create(settings: Settings) -> bool:
    """Create the database and its read-only role, with cases up to the sandbox's date.

    Returns False if it already has them. When that date moves, what has
    become of older cases changes too, as it would in a real system.
    """
    _create_database(settings)
    sandbox = read_json(settings.home / "sandbox.json") or {}
    as_of = date.fromisoformat(sandbox["as_of"])
    note = f"as of {as_of}, seed {sandbox['seed']}, {', '.join(councils())}"
    with psycopg.connect(_dsn(settings, CASES_DATABASE)) as connection:
        connection.execute(TABLE)
        said = "select obj_description('crm.cases'::regclass)"
        if connection.execute(said).fetchone() == (note,):
            return False
        connection.execute("truncate crm.cases")
        copy = sql.SQL("copy crm.cases ({}) from stdin").format(
            sql.SQL(", ").join(map(sql.Identifier, COLUMNS))
        )
        with connection.cursor().copy(copy) as rows:
            for row in _cases(sandbox["seed"], as_of):
                rows.write_row(row)
        for statement in (
            "grant usage on schema crm to {role}",
            "grant select on crm.cases to {role}",
            "comment on table crm.cases is {note}",
        ):
            connection.execute(
                sql.SQL(statement).format(role=sql.Identifier(CASES_ROLE), note=sql.Literal(note))
            )
    return True


def _create_database(settings: Settings) -> None:
    names = {
        "database": sql.Identifier(CASES_DATABASE),
        "role": sql.Identifier(CASES_ROLE),
        "password": sql.Literal(read_secrets(settings.home)[CASES_ROLE]),
    }
    with psycopg.connect(_dsn(settings, "postgres"), autocommit=True) as connection:

        def exists(what: str) -> bool:
            return connection.execute(what).fetchone() is not None

        def run(statement: str) -> None:
            connection.execute(sql.SQL(statement).format(**names))

        if not exists(f"select from pg_roles where rolname = '{CASES_ROLE}'"):
            run("create role {role} login password {password}")
            run("alter role {role} set default_transaction_read_only = on")
        if not exists(f"select from pg_database where datname = '{CASES_DATABASE}'"):
            run("create database {database}")
        run("revoke connect on database {database} from public")
        run("grant connect on database {database} to {role}")


def _cases(seed: int, as_of: date) -> Iterator[tuple[Any, ...]]:
    for back in range(DAYS, 0, -1):
        day = as_of - timedelta(days=back)
        for number, council in enumerate(councils().values()):
            # Not for secrets: equal seeds must give equal cases.
            draw = random.Random(f"{seed} {council.name} {day}")  # noqa: S311
            for n in range(draw.randint(MOST_OF_A_DAY // 2, MOST_OF_A_DAY)):
                case_id = (day.toordinal() * 100 + number) * 100 + n
                yield _case(draw, case_id, council, day, as_of)


def _case(
    draw: random.Random, case_id: int, council: Council, day: date, as_of: date
) -> tuple[Any, ...]:
    midnight = datetime.combine(day, time(), UTC)
    opened = midnight + timedelta(seconds=draw.randrange(86_400))
    closed = opened + timedelta(days=draw.random() * DAYS_UNTIL_CLOSED, hours=1)
    worked_on = opened + (closed - opened) / 3
    now = datetime.combine(as_of, time(), UTC)
    status = "closed" if closed < now else "in progress" if worked_on < now else "open"
    updated = {"closed": closed, "in progress": worked_on, "open": opened}[status]
    resident = draw.randrange(RESIDENTS)
    first = FIRST_NAMES[resident % len(FIRST_NAMES)]
    last = LAST_NAMES[resident // len(FIRST_NAMES) % len(LAST_NAMES)]
    silent = draw.random() < SILENT_SHARE
    wards = council.wards_on(day) if council.has_wards_on(day) else ()
    return (
        case_id,
        council.name,
        draw.choice(KINDS),
        draw.choice(wards).code if wards else None,
        status,
        opened,
        updated,
        closed if status == "closed" else None,
        None if silent else f"{first} {last}",
        None if silent else f"{first}.{last}.{resident}@example.org".lower(),
        None if silent else f"07700 900{resident:03}",
        None if silent else f"Please ring {first} after six.",
    )


def _dsn(settings: Settings, database: str) -> str:
    return f"{settings.need('admin_dsn').rsplit('/', 1)[0]}/{database}"
