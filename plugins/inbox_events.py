"""Start the DAG of an inbox as soon as a file is put there, by events of S3 in a queue."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Asset, AssetOrTimeSchedule, AssetWatcher

from include.settings import Settings
from include.sources.model import Contract

# The Airflow Connection with the role that may receive the events.
CONNECTION = "wandle_inbox"
# One look waits for this long for a message, and the next one follows after the pause.
WAIT_SECONDS, PAUSE_SECONDS = 20, 5
# The most that SQS gives at once.
MOST_MESSAGES = 10


def with_events(contract: Contract, timetable: Any) -> Any:
    """The timetable, and where `WANDLE_INBOX_QUEUE` names a queue, also the events of the inbox.

    An event says only that something is new: the run finds out what.
    """
    if getattr(contract.extract, "place", "") != "inbox":
        return timetable
    queue = Settings.read().inbox_queue
    if not queue:
        return timetable
    from airflow.providers.common.messaging.triggers.msg_queue import MessageQueueTrigger

    trigger = MessageQueueTrigger(
        scheme="sqs",
        sqs_queue=queue.replace("{source}", contract.name),
        aws_conn_id=CONNECTION,
        max_messages=MOST_MESSAGES,
        wait_time_seconds=WAIT_SECONDS,
        waiter_delay=PAUSE_SECONDS,
    )
    name = f"inbox.{contract.name}"
    asset = Asset(name, watchers=[AssetWatcher(name=name, trigger=trigger)])
    return AssetOrTimeSchedule(timetable=timetable, assets=[asset])
