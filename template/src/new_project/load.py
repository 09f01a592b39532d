"""Landing -> PostgreSQL. One transaction replaces the table, and the counts must balance."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql

from new_project.contract import Contract, Value

BOOKS = """
create schema if not exists raw;
create schema if not exists ops;
create table if not exists ops.load (
    source text not null, landing text not null, landed bigint not null, loaded bigint not null,
    quarantined bigint not null, duplicates bigint not null,
    loaded_at timestamptz not null default now(),
    check (landed = loaded + quarantined + duplicates)
);
create table if not exists ops.quarantine (
    source text not null, landing text not null, record_no bigint not null, rule text not null
);
"""


class LoadRefused(Exception):
    """A response that may not replace what is loaded."""


@dataclass
class Batch:
    """The records of a landing: rows to load, and why others are not among them."""

    landed: int = 0
    duplicates: int = 0
    rows: list[tuple[Value, ...]] = field(default_factory=list)
    # Number of the record (from 1), and the rule that it breaks.
    quarantined: list[tuple[int, str]] = field(default_factory=list)


def records_of(contract: Contract, body: bytes) -> list[Any]:
    """The records of a response. Raises `LoadRefused` if there are none where they should be."""
    try:
        found = json.loads(body)
        for name in filter(None, contract.records.split(".")):
            found = found[name]
    except (KeyError, TypeError, ValueError):
        found = None
    if not isinstance(found, list):
        raise LoadRefused(
            f"{contract.name}: no list at `{contract.records}`. Compare the response with the "
            "contract."
        )
    if len(found) < contract.min_records:
        raise LoadRefused(
            f"{contract.name}: {len(found)} records, and min_records is {contract.min_records}. "
            "What was loaded before stays."
        )
    return found


def prepare(contract: Contract, body: bytes) -> Batch:
    """Validate every record. Raises `LoadRefused`."""
    batch = Batch()
    names = [column.name for column in contract.columns]
    positions = [names.index(name) for name in contract.key]
    seen = set()
    for number, record in enumerate(records_of(contract, body), 1):
        batch.landed += 1
        try:
            row = row_of(contract, record)
        except ValueError as error:
            batch.quarantined.append((number, str(error)))
            continue
        key = tuple(row[position] for position in positions)
        if key in seen:
            batch.duplicates += 1
        else:
            seen.add(key)
            batch.rows.append(row)
    return batch


def row_of(contract: Contract, record: object) -> tuple[Value, ...]:
    """The values of a record. Raises `ValueError`, which names the rule that it breaks."""
    if not isinstance(record, dict):
        raise ValueError("record: not an object")
    row = []
    for column in contract.columns:
        try:
            row.append(column.cast(record.get(column.name)))
        except ValueError as error:
            raise ValueError(f"{column.name}: {error}") from None
    return tuple(row)


def load(dsn: str, contract: Contract, landing: str, body: bytes) -> Batch:
    """Replace the raw table by the records of a landing. Raises `LoadRefused`."""
    batch = prepare(contract, body)
    table = sql.Identifier("raw", contract.name)
    names = [sql.Identifier(column.name) for column in contract.columns]
    with psycopg.connect(dsn) as connection:
        # One load of a source at a time, also the first one.
        connection.execute("select pg_advisory_xact_lock(hashtext('new_project'))")
        connection.execute(BOOKS)
        connection.execute(_create(contract, table))
        connection.execute(sql.SQL("delete from {}").format(table))
        connection.execute("delete from ops.quarantine where source = %s", [contract.name])
        into = sql.SQL("copy {} ({}) from stdin").format(table, sql.SQL(", ").join(names))
        cursor = connection.cursor()
        with cursor.copy(into) as copy:
            for row in batch.rows:
                copy.write_row(row)
        cursor.executemany(
            "insert into ops.quarantine values (%s, %s, %s, %s)",
            [(contract.name, landing, number, rule) for number, rule in batch.quarantined],
        )
        connection.execute(
            "insert into ops.load (source, landing, landed, loaded, quarantined, duplicates) "
            "values (%s, %s, %s, %s, %s, %s)",
            [contract.name, landing, batch.landed, len(batch.rows), len(batch.quarantined),
             batch.duplicates],
        )  # fmt: skip
    return batch


def _create(contract: Contract, table: sql.Identifier) -> sql.Composed:
    columns = [
        sql.SQL("{} {}").format(sql.Identifier(column.name), sql.SQL(column.type))
        for column in contract.columns
    ]
    return sql.SQL("create table if not exists {} ({})").format(table, sql.SQL(", ").join(columns))
