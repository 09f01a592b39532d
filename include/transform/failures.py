"""What failed: errors of dbt and PostgreSQL, retryable or permanent, and the rows that fail a test.

dbt stores these rows in the schema `test_failures`, which only the transformer reads, once a test
has failed or warned: a test that passes costs nothing. Rows of tests that see data of a source
with personal data are neither stored nor shown.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Mapping
from typing import Any

import psycopg
from psycopg import sql

from include.disk import DiskFull
from include.errors import (
    PermanentError,
    PipelineError,
    RetryableError,
    ServiceUnavailable,
    TableOutdated,
)
from include.printable import one_line

log = logging.getLogger(__name__)


class DbtStopped(RetryableError):
    """The dbt process exited during a command."""


class BuildFailed(PermanentError):
    """A model failed to build or a test failed; the message names the nodes."""


# dbt passes on server messages without their SQLSTATE.
_PASSES = re.compile(
    r"connection to server|could not connect|could not translate host name|server closed the"
    r"|connection already closed|connection has been closed|connection not open"
    r"|terminating connection|could not receive data|could not send data"
    r"|database system is (?:starting|shutting|in recovery)|too many clients|connection slots"
    r"|due to lock timeout|deadlock detected|could not serialize|no space left on device"
    r"|out of shared memory",
    re.IGNORECASE,
)
_NOT_MIGRATED = re.compile(
    r"relation \"(?:raw|ops)\.[^\"]+\" does not exist|schema \"[^\"]+\" does not exist"
    r"|permission denied for",
    re.IGNORECASE,
)
_WRONG_LOGIN = re.compile(
    r"(?:password )?authentication failed|role \"[^\"]+\" does not exist|no pg_hba.conf entry"
    r"|database \"[^\"]+\" does not exist",
    re.IGNORECASE,
)
# PostgreSQL quotes row values in these lines; they may be personal.
_QUOTES_VALUES = ("DETAIL:", "CONTEXT:", "Failing row", "LINE ")
_QUOTED_VALUE = re.compile(
    r"(invalid input (?:syntax|value)[^:]*|date/time field value out of range): \"[^\"]*\""
)
_LONGEST = 1_000

# With a prefix, in a developer's own schemas.
FAILING_ROWS = "test_failures"
WITHHELD = "Its rows are not stored, because they may hold personal data"

_SHOWN_ROWS = 3
_LONGEST_ROW = 250
_LONGEST_VALUE = 80

Described = Mapping[str, Any]


def without_values(message: str | None) -> str | None:
    """A dbt message on one line, without the lines in which PostgreSQL quotes row values."""
    if message is None:
        return None
    kept: list[str] = []
    for line in map(str.strip, message.splitlines()):
        if line.startswith(_QUOTES_VALUES) or line.startswith(("compiled code at", "^")):
            continue
        if line:
            kept.append(line)
    text = one_line(_QUOTED_VALUE.sub(r"\1", " ".join(kept)))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def passes_by_itself(message: str | None) -> bool:
    """Whether the same statement may succeed later."""
    text = message or ""
    return bool(_PASSES.search(text)) and not _WRONG_LOGIN.search(text)


def next_step(message: str | None) -> str:
    """What to do about a failed node."""
    if _NOT_MIGRATED.search(message or ""):
        return "Run `wandle migrate`, then `wandle transform`, or clear this task."
    return (
        "Fix the data (reload or ingest it again), or the model or test in dbt_project/, then "
        "run `wandle transform`, or clear this task: it rebuilds what failed and everything "
        "downstream."
    )


def failure(who: str, message: str) -> PipelineError:
    """The error for a failed dbt command or connection."""
    text = (without_values(message) or "no message").rstrip(".")
    if _WRONG_LOGIN.search(text):
        return PermanentError(
            f"{who}: {text}. Check the connection `wandle_transformer` (WANDLE_TRANSFORMER_DSN)."
        )
    if "no space left on device" in text.lower():
        return DiskFull(
            f"{who}: {text}. Free some space on the disk of the database server or of dbt's "
            "folder, then try again."
        )
    if passes_by_itself(text):
        return ServiceUnavailable(f"{who}: {text}. Try again later.")
    if _NOT_MIGRATED.search(text):
        return TableOutdated(f"{who}: {text}. Run `wandle migrate`, then try again.")
    return PermanentError(f"{who}: {text}. Retrying will not help; fix it in dbt_project/.")


def failing_rows(
    dsn: str, described: Collection[Described], known: Collection[tuple[str, ...]]
) -> dict[str, str]:
    """What to add to the message of each failed test, by unique ID: its first failing rows.

    `described` are results as the child process reports them, `known` the tables of all tests of
    the project. Drops the rows of tests that pass or are not known.
    """
    tests = [result for result in described if result["failing_rows"] is not None]
    found = {
        result["unique_id"]: WITHHELD for result in tests if result["failing_rows"] == "withheld"
    }
    try:
        with psycopg.connect(dsn) as opened:
            schemas = {result["table"][0] for result in tests}
            stored = _tables(opened, [name for name in schemas if name.endswith(FAILING_ROWS)])
            for result in tests:
                table = tuple(result["table"])
                if table not in stored:
                    continue
                if result["failing_rows"] == "stored":
                    found[result["unique_id"]] = _first_rows(opened, table)
                elif result["failing_rows"] in ("none", "withheld"):
                    _drop(opened, table)
            for table in stored - {*known}:
                _drop(opened, table)
    except psycopg.Error as error:
        log.warning("dbt: failing rows are not shown: %s", without_values(str(error)))
    return found


def _tables(opened: psycopg.Connection, schemas: Collection[str]) -> set[tuple[str, ...]]:
    query = "select schemaname, tablename from pg_tables where schemaname = any(%s)"
    return set(opened.execute(query, (list(schemas),)))


def _drop(opened: psycopg.Connection, table: tuple[str, ...]) -> None:
    opened.execute(sql.SQL("drop table if exists {}").format(sql.Identifier(*table)))


def _first_rows(opened: psycopg.Connection, table: tuple[str, ...]) -> str:
    where = sql.Identifier(*table)
    count = opened.execute(sql.SQL("select count(*) from {}").format(where)).fetchone()
    rows = sql.SQL("select * from {} limit {}").format(where, sql.Literal(_SHOWN_ROWS))
    cursor = opened.execute(rows)
    names = [column.name for column in cursor.description or ()]
    lines = "; ".join(_line(dict(zip(names, row, strict=True))) for row in cursor)
    more = (count[0] if count else 0) - _SHOWN_ROWS
    return f"Rows: {lines}{f'; and {more} more' if more > 0 else ''}, in {'.'.join(table)}"


def _line(row: Mapping[str, Any]) -> str:
    """A row as `name=value, ...`, without columns that are null."""
    parts = [f"{name}={_short(value)}" for name, value in row.items() if value is not None]
    text = ", ".join(parts)
    return text if len(text) <= _LONGEST_ROW else f"{text[:_LONGEST_ROW]}..."


def _short(value: object) -> str:
    text = one_line(str(value))
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."
