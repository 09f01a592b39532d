"""Look at the alerts in the books, and try the channels of a source."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from include.errors import PermanentError, PipelineError
from include.jobs.alerts import outbox
from include.jobs.alerts.message import About, content_of
from include.jobs.alerts.outbox import Channel, Sender
from include.jobs.alerts.problems import Problem
from include.jobs.logins import SecretOf
from include.settings import Settings
from include.sources.model import contract, contracts
from include.warehouse.books import alerts as books
from include.warehouse.connection import connect

MOST_MESSAGES = 20


def listed(dsn: str, source: str = "") -> dict[str, list[dict[str, Any]]]:
    """What is wrong with a source or with all, and the newest messages, sent or not.

    Raises `UnknownName` for a source that does not exist.
    """
    names = [contract(source).name] if source else list(contracts())
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
    source: str, settings: Settings, secret_of: SecretOf | None = None
) -> Iterator[Channel]:
    """Send a test message by each channel of a source; yields those that accepted it.

    Raises `PermanentError` if the contract has none, and at the end, naming
    each channel that did not accept it and why.
    """
    tried = contract(source)
    channels = outbox.channels_of(tried)
    if not channels:
        raise PermanentError(
            f"alerts: {source} tells nobody. Add `alerts` to include/sources/{source}.yaml: "
            "docs/contract-reference.md."
        )
    problem = Problem(source, "failed", "no partition", "test", "none: this is a test", "Nothing.")
    about = About(tried, settings.airflow_url)
    content = content_of([(about, [problem], [])], settings.environment)
    assert content is not None  # noqa: S101, it has a problem
    content["title"] = f"{content['title']} (a test)"
    failures = []
    sender = Sender(settings, secret_of)
    for channel in channels:
        try:
            sender.send(str(uuid4()), channel, content)
        except PipelineError as error:
            failures.append(f"{channel[0]}: {error}")
        else:
            yield channel
    if failures:
        raise PermanentError("\n".join(failures))
