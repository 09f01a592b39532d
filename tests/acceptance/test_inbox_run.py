"""A file in the inbox starts its DAG: S3's event, SQS, Airflow's triggerer and scheduler."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import boto3
import pytest
from moto.server import ThreadedMotoServer

from include.councils.model import council
from include.local.services.airflow_api import FINISHED, AirflowApi
from sandbox.spending import file_name, spending_file
from tests.acceptance.conftest import Wandle, environment_of_its_own

PORT_BASE = 18_780
BUCKET, QUEUE = "wandle", "wandle-dev-inbox-council_spend"
DAG = "ingest_council_spend"
MONTH = date(2026, 5, 1)

pytestmark = [pytest.mark.timeout(900), pytest.mark.platform]


@dataclass(frozen=True)
class Aws:
    """A bucket that sends the events of the inbox to a queue, as Terraform makes them."""

    url: str

    def client(self, name: str) -> Any:
        """A client of a service."""
        session = boto3.Session("test", "test", region_name="eu-west-2")
        return session.client(name, endpoint_url=self.url)

    @property
    def queue(self) -> str:
        """The queue's URL."""
        return str(self.client("sqs").get_queue_url(QueueName=QUEUE)["QueueUrl"])

    @property
    def connection(self) -> dict[str, Any]:
        """The Airflow Connection to it."""
        extra = {
            "endpoint_url": self.url,
            "region_name": "eu-west-2",
            "service_config": {"s3": {"bucket_name": BUCKET}},
        }
        return {"conn_type": "aws", "login": "test", "password": "test", "extra": extra}

    def waiting(self) -> int:
        """The events that nobody has received."""
        asked = self.client("sqs").get_queue_attributes(
            QueueUrl=self.queue, AttributeNames=["ApproximateNumberOfMessages"]
        )
        return int(asked["Attributes"]["ApproximateNumberOfMessages"])


@pytest.fixture(scope="module")
def aws() -> Iterator[Aws]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    found = Aws("http://{}:{}".format(*server.get_host_and_port()))
    s3, sqs = found.client("s3"), found.client("sqs")
    place = {"LocationConstraint": "eu-west-2"}
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=place)
    url = sqs.create_queue(QueueName=QUEUE)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    rule = {"Name": "prefix", "Value": "inbox/council_spend/"}
    sends = {
        "QueueArn": arn["QueueArn"],
        "Events": ["s3:ObjectCreated:*"],
        "Filter": {"Key": {"FilterRules": [rule]}},
    }
    s3.put_bucket_notification_configuration(
        Bucket=BUCKET, NotificationConfiguration={"QueueConfigurations": [sends]}
    )
    yield found
    server.stop()


@pytest.fixture(scope="module")
def platform(aws: Aws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wandle]:
    """A platform with that bucket and queue, on which the DAG waits for its events."""
    home = tmp_path_factory.mktemp("wandle")
    found = Wandle(environment_of_its_own(home, PORT_BASE), home)
    try:
        found.ok("up")
        _use(home, aws)
        yield found
    finally:
        found.run("down")


def _use(home: Path, aws: Aws) -> None:
    """Set what Terraform sets on a host: two connections, and the address of the queues."""
    path = home / "connections.json"
    kept = json.loads(path.read_text())
    path.write_text(
        json.dumps(kept | {"wandle_s3": aws.connection, "wandle_inbox": aws.connection})
    )
    queue = aws.queue.replace("council_spend", "{source}")
    with (home / "wandle.env").open("a") as file:
        file.write(f"WANDLE_INBOX_QUEUE={queue}\n")


@pytest.fixture(scope="module")
def airflow(platform: Wandle) -> AirflowApi:
    """Airflow, once it has parsed the DAG with its events."""
    found = platform.airflow()
    ends = time.monotonic() + 240
    while not [a for a in found.listed("/assets", "assets") if a["name"] == "inbox.council_spend"]:
        assert time.monotonic() < ends, "the DAG does not wait for events"
        time.sleep(1)
    found.unpause(DAG)
    return found


def put(aws: Aws, month: date, place: str = "kingston", content: bytes = b"") -> str:
    """Upload a file as a person does, with nothing of this project; its key."""
    name = file_name(council(place), month)
    key = f"inbox/council_spend/{name}"
    body = content or spending_file(council(place), month, 7)
    aws.client("s3").put_object(Bucket=BUCKET, Key=key, Body=body)
    return key


def triggered(airflow: AirflowApi, expected: int) -> list[dict[str, Any]]:
    """The runs that events have started, the newest last, once as many as expected have ended."""
    ends = time.monotonic() + 240
    while True:
        path = f"/dags/{DAG}/dagRuns"
        runs = [*airflow.listed(path, "dag_runs", run_type="asset_triggered")]
        done = [run for run in runs if run["state"] in FINISHED]
        if len(done) >= expected and len(done) == len(runs):
            return sorted(done, key=lambda run: str(run["run_after"]))
        assert time.monotonic() < ends, f"of {expected} runs ended: {runs}"
        time.sleep(0.5)


def loaded(platform: Wandle) -> list[tuple[str, str, str]]:
    return [
        (entry["council"], entry["period"], entry["status"])
        for entry in platform.ledger("council_spend")
    ]


def test_a_file_that_is_put_into_the_inbox_is_loaded_by_a_run_of_its_event(platform, aws, airflow):
    key = put(aws, MONTH)

    (run,) = triggered(airflow, 1)

    assert run["state"] == "success"
    assert loaded(platform) == [("kingston", "2026-05", "loaded")]
    assert aws.waiting() == 0
    events = airflow.get(f"/dags/{DAG}/dagRuns/{run['dag_run_id']}/upstreamAssetEvents")
    (event,) = events["asset_events"]
    assert unquote_plus(key) in unquote_plus(json.dumps(event["extra"]))


def test_an_event_that_comes_again_loads_nothing_twice(platform, aws, airflow):
    before = len(triggered(airflow, 0))
    put(aws, MONTH)

    runs = triggered(airflow, before + 1)

    assert runs[-1]["state"] == "success"
    assert {status for *_, status in loaded(platform)} <= {"loaded", "unchanged"}
    assert [entry for entry in loaded(platform) if entry[2] == "loaded"] == [
        ("kingston", "2026-05", "loaded")
    ]


def test_a_file_that_belongs_to_nothing_makes_the_run_of_its_event_red(platform, aws, airflow):
    before = len(triggered(airflow, 0))
    key = "inbox/council_spend/Payments FINAL.csv"
    aws.client("s3").put_object(Bucket=BUCKET, Key=key, Body=b"?")

    run = triggered(airflow, before + 1)[-1]
    aws.client("s3").delete_object(Bucket=BUCKET, Key=key)

    assert run["state"] == "failed"
    path = f"/dags/{DAG}/dagRuns/{run['dag_run_id']}/taskInstances"
    states = {task["task_id"]: task["state"] for task in airflow.listed(path, "task_instances")}
    assert states["files"] == "failed"
    assert states["plan"] == states["reconcile"] == "success"
