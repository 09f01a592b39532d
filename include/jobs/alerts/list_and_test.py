"""List open alerts and the messages about them, and send test messages to channels."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any
from uuid import uuid4

from include.errors import PermanentError, PipelineError
from include.jobs.alerts import outbox, problems
from include.jobs.alerts.message import About, Content, content_of
from include.jobs.alerts.outbox import Channel, Sender
from include.jobs.alerts.problems import Problem
from include.jobs.logins import SecretOf
from include.settings import Settings
from include.sources.model import Contract, contract, contracts
from include.warehouse.books import alerts as books
from include.warehouse.connection import connect

MOST_MESSAGES = 20


def listed(dsn: str, sources: Collection[str] = ()) -> dict[str, list[dict[str, Any]]]:
    """What is wrong with these sources, and the newest messages, sent or not.

    By default with all, and with `transform`. Raises `UnknownName` for a source
    that does not exist.
    """
    names = [contract(name).name for name in sources] or [*contracts(), problems.TRANSFORM]
    with connect(dsn) as connection, connection.cursor() as cursor:
        found = books.opened(cursor, names)
        messages = books.messages(cursor, MOST_MESSAGES)
    return {
        "alerts": [
            {
                "source": alert.source,
                "kind": alert.kind,
                "where": alert.subject,
                "since": alert.raised_at.isoformat(timespec="seconds"),
                "cause": alert.text,
            }
            for alert in found
        ],
        "messages": [outbox.public_message(row) for row in messages],
    }


def try_channels(
    sources: Collection[str], settings: Settings, secret_of: SecretOf | None = None
) -> Iterator[Channel]:
    """Send a test message by each channel of these sources, or of all; yields those that took it.

    Raises `PermanentError` for a source without any, and at the end, naming
    each channel that did not accept it and why.
    """
    named = [contract(name) for name in sources]
    tried = named or [item for item in contracts().values() if item.alerts.are_on]
    silent = [item.name for item in named if not item.alerts.are_on]
    if silent or not tried:
        raise PermanentError(
            f"alerts: {', '.join(silent) or 'every source'} notifies nobody. Add `alerts` to the "
            "contract: docs/contract-reference.md."
        )
    sender = Sender(settings, secret_of)
    about = {channel: item for item in tried for channel in outbox.channels_of(item)}
    failures = []
    for channel, item in about.items():
        try:
            sender.send(str(uuid4()), channel, _test_message(item, settings))
        except PipelineError as error:
            failures.append(f"{channel[0]}: {error}")
        else:
            yield channel
    if failures:
        raise PermanentError("\n".join(failures))


def _test_message(tried: Contract, settings: Settings) -> Content:
    problem = Problem(
        tried.name, "failed", "no partition", "test", "none: this is a test", "nothing"
    )
    content = content_of(
        [(About.of(tried, settings.airflow_url), [problem], [])], settings.environment
    )
    assert content is not None  # noqa: S101, it has a problem
    content["title"] = f"{content['title']} (a test)"
    return content
