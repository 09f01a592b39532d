"""A file that is put into an inbox on AWS starts the DAG at once: S3's event, SQS, a trigger."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

import boto3
import pytest
from airflow.sdk import AssetOrTimeSchedule
from airflow.serialization.encoders import encode_timetable
from moto.server import ThreadedMotoServer

from include.sources.model import contract
from plugins.inbox_events import CONNECTION, with_events
from plugins.period_timetable import PeriodTimetable

SPEND = contract("council_spend")
TIMETABLE = PeriodTimetable(SPEND.schedule, period="month")


@pytest.fixture(scope="module")
def aws() -> Iterator[Any]:
    """Makes clients of moto's server."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    session = boto3.Session("test", "test", region_name="eu-west-2")
    yield lambda name: session.client(name, endpoint_url=f"http://{host}:{port}")
    server.stop()


@pytest.fixture(scope="module")
def lake(aws) -> str:
    """A bucket."""
    name = f"lake-{uuid4().hex[:8]}"
    where = {"LocationConstraint": "eu-west-2"}
    aws("s3").create_bucket(Bucket=name, CreateBucketConfiguration=where)
    return name


@pytest.fixture
def queue(aws, lake, monkeypatch) -> Any:
    """The queue of `council_spend`, which gets the events of its inbox, as Terraform makes it."""
    sqs, s3 = aws("sqs"), aws("s3")
    url = sqs.create_queue(QueueName="wandle-dev-inbox-council_spend")["QueueUrl"]
    asked = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    arn = asked["Attributes"]["QueueArn"]
    rule = {"Name": "prefix", "Value": "inbox/council_spend/"}
    s3.put_bucket_notification_configuration(
        Bucket=lake,
        NotificationConfiguration={
            "QueueConfigurations": [
                {
                    "QueueArn": arn,
                    "Events": ["s3:ObjectCreated:*"],
                    "Filter": {"Key": {"FilterRules": [rule]}},
                }
            ]
        },
    )
    connection = {
        "conn_type": "aws",
        "login": "test",
        "password": "test",
        "extra": {"endpoint_url": sqs.meta.endpoint_url, "region_name": "eu-west-2"},
    }
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONNECTION.upper()}", json.dumps(connection))
    monkeypatch.setenv("WANDLE_INBOX_QUEUE", url.replace("council_spend", "{source}"))
    return url


def trigger_of(schedule: AssetOrTimeSchedule) -> Any:
    (asset,) = schedule.asset_condition.objects
    return asset.watchers[0].trigger


def test_without_a_queue_only_the_schedule_checks_the_inbox(monkeypatch):
    monkeypatch.delenv("WANDLE_INBOX_QUEUE", raising=False)

    assert with_events(SPEND, TIMETABLE) is TIMETABLE


def test_other_sources_do_not_wait_for_an_event(queue):
    weather = contract("weather_hourly")

    assert with_events(weather, TIMETABLE) is TIMETABLE


def test_a_file_in_the_inbox_fires_the_trigger_and_the_schedule_stays(queue, aws, lake):
    schedule = with_events(SPEND, TIMETABLE)
    trigger = trigger_of(schedule)

    async def first_event() -> Any:
        return await asyncio.wait_for(anext(aiter(trigger.run())), 30)

    aws("s3").put_object(Bucket=lake, Key="inbox/other/x.csv", Body=b"x")
    aws("s3").put_object(Bucket=lake, Key="inbox/council_spend/x.csv", Body=b"x")
    event = asyncio.run(first_event())

    bodies = [json.loads(message["Body"]) for message in event.payload["message_batch"]]
    keys = [record["s3"]["object"]["key"] for body in bodies for record in body.get("Records", ())]
    assert [*map(unquote, keys)] == ["inbox/council_spend/x.csv"]
    asked = aws("sqs").get_queue_attributes(
        QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessages"]
    )
    assert asked["Attributes"] == {"ApproximateNumberOfMessages": "0"}
    assert encode_timetable(schedule)["__var"]["timetable"] == encode_timetable(TIMETABLE)
