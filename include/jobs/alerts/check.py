"""Check sources at the end of a run and every hour: send one alert, and an all-clear afterwards.

Both compare the books with the alerts that are open. So a task that is killed
and retried finds its message written, and a run that was killed or never
started is noticed within the hour.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Any

from include.councils.model import UK, council_titles
from include.jobs.alerts import judge, outbox
from include.jobs.alerts.compare_with_open import Changes, compare_with_open
from include.jobs.alerts.message import About, content_of
from include.jobs.alerts.outbox import Channel, Sender
from include.jobs.alerts.problems import TRANSFORM, Problem, of_failure, of_task, of_transform
from include.jobs.logins import SecretOf
from include.jobs.pipeline.reconcile import outcomes
from include.settings import Settings
from include.sources.model import Contract, contracts
from include.transform.freshness import freshness
from include.warehouse.books import alerts as books
from include.warehouse.connection import Cursor, connect

log = logging.getLogger(__name__)


def check_run(
    contract: Contract,
    planned: Sequence[Mapping[str, str]] | None,
    landings: Sequence[str | None],
    errors: Mapping[str, str],
    *,
    dsn: str,
    run_id: str,
    airflow_url: str,
    secret_of: SecretOf | None = None,
) -> int:
    """Tell of a run that has ended; returns the number of messages sent.

    `planned` is None if the task `plan` failed, `landings` as for
    `reconcile`. `errors` are those of the tasks beside the partitions, by
    task. Raises as `outbox.deliver` does.
    """
    found = [of_task(contract, task, error, run_id) for task, error in errors.items()]
    if planned is None and "plan" not in errors:
        found.append(of_task(contract, "plan", "", run_id))
    partitions = [contract.partition(**place) for place in planned or ()]
    _, failed = outcomes(contract, partitions, landings, dsn=dsn, run_id=run_id)
    found += [of_failure(contract, failure, run_id) for failure in failed]
    return _check([contract], {contract.name: found}, dsn, airflow_url, secret_of)


def check_all(*, dsn: str, airflow_url: str, secret_of: SecretOf | None = None) -> int:
    """Alert on what is late or failed without a message; returns as above.

    Also sends what could not be sent before.
    """
    chosen = [contract for contract in contracts().values() if contract.alerts.are_on]
    return _check(chosen, {}, dsn, airflow_url, secret_of)


def check_transform(
    failed: Mapping[str, str],
    *,
    dsn: str,
    run_id: str,
    owner: str,
    airflow_url: str,
    secret_of: SecretOf | None = None,
) -> int:
    """Send alerts about a finished run of `transform`; returns and raises as `check_run` does.

    `failed` are models, tests and tasks with their errors. Marts are made of
    several sources, so every recipient of failures of one of them gets the message.
    """
    settings, now = Settings.read(), datetime.now(UTC)
    found = [of_transform(subject, error, run_id) for subject, error in failed.items()]
    about = About(TRANSFORM, "Marts and publication", owner, "transform", airflow_url)
    with connect(dsn) as connection, connection.cursor() as cursor:
        books.lock(cursor)
        changes = compare_with_open(
            books.opened(cursor, [TRANSFORM]), found, lambda alert: alert.subject not in failed, now
        )
        _write(cursor, changes, now)
        content = content_of([(about, changes.tell, changes.all_clear)], settings.environment)
        if content:
            told = [item for item in contracts().values() if item.alerts.tell_of("failed")]
            for channel in dict.fromkeys(chain.from_iterable(map(outbox.channels_of, told))):
                outbox.put(cursor, channel, content)
        connection.commit()
    return outbox.deliver(dsn, Sender(settings, secret_of))


def _check(
    chosen: Sequence[Contract],
    of_run: Mapping[str, list[Problem]],
    dsn: str,
    airflow_url: str,
    secret_of: SecretOf | None,
) -> int:
    settings, now = Settings.read(), datetime.now(UTC)
    councils = {item.name: _councils(item) for item in chosen}
    expected = [(item, council) for item in chosen for council in councils[item.name]]
    measured = freshness(dsn, expected, now)
    by_channel: dict[Channel, list[tuple[About, Changes]]] = {}
    with connect(dsn) as connection, connection.cursor() as cursor:
        books.lock(cursor)
        for contract in chosen:
            fresh = [item for item in measured if item["source"] == contract.name]
            changes = _changes(cursor, contract, of_run.get(contract.name), fresh, now)
            for channel in outbox.channels_of(contract):
                about = About.of(contract, airflow_url)
                by_channel.setdefault(channel, []).append((about, changes))
        for channel, found in by_channel.items():
            content = content_of(
                [(about, changes.tell, changes.all_clear) for about, changes in found],
                settings.environment,
            )
            if content:
                outbox.put(cursor, channel, content)
        connection.commit()
    return outbox.deliver(dsn, Sender(settings, secret_of))


def _changes(
    cursor: Cursor,
    contract: Contract,
    of_run: list[Problem] | None,
    fresh: Sequence[Mapping[str, Any]],
    now: datetime,
) -> Changes:
    """Compare one source, and write the difference to the books."""
    newest = judge.attempts(cursor, contract)
    # A run knows more of its partitions than the books.
    found = [*judge.in_books(cursor, contract, newest, fresh, now), *(of_run or ())]
    found = [problem for problem in found if problem.kind in contract.alerts.kinds]
    keys = {(problem.kind, problem.subject) for problem in found}
    ended = of_run is not None
    changes = compare_with_open(
        books.opened(cursor, [contract.name]),
        found,
        lambda alert: judge.is_over(alert, keys, newest, run=ended),
        now,
    )
    _write(cursor, changes, now)
    return changes


def _write(cursor: Cursor, changes: Changes, now: datetime) -> None:
    books.close(cursor, [alert.alert_id for alert in changes.close], now)
    books.told(cursor, [alert.alert_id for alert in changes.told_again], now)
    for problem, told_at in changes.opened:
        books.open_alert(
            cursor,
            source=problem.source,
            kind=problem.kind,
            subject=problem.subject,
            cause=problem.cause,
            text=problem.text,
            run_id=problem.run_id,
            now=now,
            told_at=told_at,
        )


def _councils(contract: Contract) -> Sequence[str]:
    return (UK,) if contract.councils == UK else tuple(council_titles())
