"""Memory stays flat: what a partition takes does not grow with its size."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.integration.fixture_server import FixtureServer, Reply, serving_fixture
from tests.integration.measured import Measured, measured

NOTE = "n" * 220
# Both are more than a load has in hand at any time.
SMALL, LARGE = 200_000, 600_000
# What the promise allows besides: 16 bytes a record, to know it again.
BYTES_A_RECORD = 16
SLACK_MEGABYTES = 16


def body_of(records: int) -> bytes:
    return b"[%s]" % b",".join(
        b'{"id":%d,"note":"%s"}' % (number, NOTE.encode()) for number in range(records)
    )


@pytest.fixture
def environment(warehouse, deployment) -> Iterator[dict[str, str]]:
    """A bucket outside this process, and the API's address, to be filled in."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    variables = {
        "AWS_ENDPOINT_URL_S3": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "WANDLE_BUCKET": "memory",
        "WANDLE_LOADER_DSN": warehouse.dsn(),
        "WANDLE_CODE_VERSION": "test",
    }
    s3 = boto3.client(
        "s3", endpoint_url=f"http://{host}:{port}", region_name="us-east-1",
        aws_access_key_id="test", aws_secret_access_key="test",
    )  # fmt: skip
    s3.create_bucket(Bucket="memory")
    yield variables
    server.stop()


@pytest.fixture
def load_of(environment) -> Iterator[Callable[..., Measured]]:
    """Loads so many records of one page, each time in a new process."""
    api = FixtureServer()

    def load(records: int, *, whole: bool = False) -> Measured:
        api.on("/gauges$", Reply(body_of(records)))
        known = environment | {"WANDLE_SANDBOX_URL": url}
        found = measured(known, f"{records} {whole}", whole=whole)
        entry = found.entry
        assert entry["records"] == entry["loaded"] + entry["quarantined"] == records
        return found

    with serving_fixture(api) as url:
        yield load


def test_one_page_three_times_as_large_takes_hardly_more_memory(load_of):
    # A thread that waits for a busy machine keeps more in hand: not so in both of two loads.
    small, large = (min(load_of(records).megabytes for _ in range(2)) for records in (SMALL, LARGE))
    read_at_once = load_of(LARGE, whole=True).megabytes

    allowed = SLACK_MEGABYTES + BYTES_A_RECORD * (LARGE - SMALL) / 1e6
    assert large - small < allowed
    assert read_at_once - small > 2 * allowed, "memory that is taken is not measured"


def test_a_load_does_not_need_pandas(load_of):
    modules = load_of(3).modules

    assert "pyarrow" in modules
    assert "pandas" not in modules
