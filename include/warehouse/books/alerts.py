"""Alerts: what is wrong with each source until it is over, and the messages about it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from include.records.json.values import json_text, parsed
from include.warehouse.connection import Cursor, rows


@dataclass(frozen=True)
class OpenAlert:
    """Something that is wrong: at `subject`, a partition, a council or a field.

    `cause` is what alerts that one message is about have in common, and
    `told_at` the time of the last message about them.
    """

    alert_id: int
    source: str
    kind: str
    subject: str
    cause: str
    text: str
    raised_at: datetime
    told_at: datetime


def lock(cursor: Cursor) -> None:
    """Until the end of the transaction, nobody else compares alerts, so none is sent twice."""
    cursor.execute("lock table ops.alert in share row exclusive mode")


def opened(cursor: Cursor, sources: Collection[str]) -> list[OpenAlert]:
    """What is wrong with these sources as far as was noticed, oldest first."""
    found = rows(
        cursor,
        "select alert_id, source, kind, subject, cause, text, raised_at, told_at from ops.alert "
        "where over_at is null and source = any($1) order by alert_id",
        list(sources),
    )
    return [OpenAlert(**row) for row in found]


def open_alert(
    cursor: Cursor,
    *,
    source: str,
    kind: str,
    subject: str,
    cause: str,
    text: str,
    run_id: str,
    now: datetime,
    told_at: datetime,
) -> None:
    """Remember something that is wrong."""
    cursor.execute(
        "insert into ops.alert (source, kind, subject, cause, text, run_id, raised_at, told_at) "
        "values ($1, $2, $3, $4, $5, $6, $7, $8)",
        (source, kind, subject, cause, text, run_id, now, told_at),
    )


def told(cursor: Cursor, alert_ids: Iterable[int], now: datetime) -> None:
    """Remember that a message was about these alerts."""
    cursor.execute(
        "update ops.alert set told_at = $2 where alert_id = any($1)", (list(alert_ids), now)
    )


def close(cursor: Cursor, alert_ids: Iterable[int], now: datetime) -> None:
    """Remember that these are over."""
    cursor.execute(
        "update ops.alert set over_at = $2 where alert_id = any($1)", (list(alert_ids), now)
    )


def write_message(
    cursor: Cursor, message_id: str, channel: str, target: str, content: Mapping[str, Any]
) -> None:
    """Keep a message until it is sent."""
    cursor.execute(
        "insert into ops.alert_message (message_id, channel, target, content) "
        "values ($1, $2, $3, $4::text::jsonb)",
        (message_id, channel, target, json_text(content)),
    )


def next_message(cursor: Cursor, since: datetime, but: Sequence[str]) -> dict[str, Any] | None:
    """The oldest message that was not sent, except those of `but`, locked until the commit.

    Older ones than `since` are no longer sent.
    """
    found = rows(
        cursor,
        "select message_id, channel, target, content::text as content from ops.alert_message "
        "where sent_at is null and created_at > $1 and message_id <> all($2) "
        "order by created_at, message_id limit 1 for update skip locked",
        since,
        list(but),
    )
    if not found:
        return None
    return found[0] | {"content": parsed(found[0]["content"].encode())}


def sent(cursor: Cursor, message_id: str) -> None:
    """Remember that a message was accepted."""
    cursor.execute(
        "update ops.alert_message set sent_at = now(), attempts = attempts + 1, error = null "
        "where message_id = $1",
        (message_id,),
    )


def not_sent(cursor: Cursor, message_id: str, error: str) -> None:
    """Remember why a message was not accepted."""
    cursor.execute(
        "update ops.alert_message set attempts = attempts + 1, error = $2 where message_id = $1",
        (message_id, error),
    )


def messages(cursor: Cursor, limit: int) -> list[dict[str, Any]]:
    """The newest messages, and whether they were sent."""
    found = rows(
        cursor,
        "select message_id, channel, target, content::text as content, created_at, sent_at, "
        "attempts, error from ops.alert_message order by created_at desc, message_id limit $1",
        limit,
    )
    return [row | {"content": parsed(row["content"].encode())} for row in found]


def latest_loads(cursor: Cursor, source: str, periods: int) -> list[dict[str, Any]]:
    """What was loaded of the newest `periods` of each council, newest first."""
    return rows(
        cursor,
        "select * from (select *, row_number() over (partition by council order by period desc) "
        "as place from (select distinct on (council, period) council, period, status, records, "
        "quarantined, rows, filled_columns, columns, finished_at from ops.load where source = $1 "
        "and status in ('loaded', 'unchanged', 'expired') order by council, period, load_id desc"
        ") as newest where status <> 'expired') as placed where place <= $2 "
        "order by council, period desc",
        source,
        periods,
    )


def newest_of_source(cursor: Cursor, source: str) -> dict[tuple[str, datetime], dict[str, Any]]:
    """The newest attempt of each partition of a source, by council and period."""
    found = rows(
        cursor,
        "select distinct on (council, period) council, period, status, step, error, run_id, "
        "finished_at, source from ops.load where source = $1 order by council, period, "
        "load_id desc",
        source,
    )
    return {(row["council"], row["period"]): row for row in found}
