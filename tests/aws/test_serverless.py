"""The function lands what its schedule asks for, by the very same job; the DAG then only loads."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from include.councils.model import council
from include.errors import PermanentError, ServiceUnavailable, SourceUnavailable, UnknownName
from include.jobs.aws.extract_function import handler
from include.jobs.aws.serverless import is_serverless, wait_for_landing
from include.jobs.lake import lake_of
from include.settings import Settings
from include.sources.model import contract
from sandbox.app import create_app
from tests.aws.conftest import BUCKET, REGION, Aws
from tests.integration.conftest import AS_OF, serving

CONTEXT = SimpleNamespace(aws_request_id="request-1")
INGEST = Path(__file__).parents[2] / "dags" / "ingest.py"


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    state = tmp_path_factory.mktemp("sandbox") / "sandbox.json"
    made = create_app(seed=7, as_of=AS_OF, rate_per_second=1e6, burst=1_000_000, state=state)
    with serving(made) as url:
        yield url, state.with_name("faults.json")


@pytest.fixture
def function(aws: Aws, sandbox: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    """What the Lambda's environment is: a bucket, its own credentials, no role to assume."""
    aws.client("s3").create_bucket(
        Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    monkeypatch.setenv("WANDLE_SANDBOX_URL", sandbox[0])
    monkeypatch.delenv("WANDLE_JOB_ROLE")
    yield aws
    sandbox[1].unlink(missing_ok=True)


def fail(faults: Path, fault: str = "404", **asked: str) -> None:
    """Let the API refuse requests with these form fields."""
    rules = [{"match": {"path": "archive", "form": asked}, "fault": fault}]
    faults.write_text(json.dumps(rules), encoding="utf-8")


def keys(aws: Aws) -> list[str]:
    found = aws.client("s3").list_objects_v2(Bucket=BUCKET).get("Contents", [])
    return [item["Key"] for item in found]


def test_it_lands_the_day_before_its_schedule_and_those_it_looks_back_to(function):
    event = {"source": "weather_hourly", "scheduled_time": "2026-11-20T06:20:00Z"}

    done = handler(event | {"councils": ["sutton"]}, CONTEXT)

    manifests = [key for key in keys(function) if key.endswith("manifest.json")]
    days = {key.split("/")[3] for key in manifests}
    looks_back = contract("weather_hourly").lookback
    assert looks_back > 0
    assert max(days) == "2026-11-19"
    assert len(days) == looks_back + 1 == len(done["landings"])
    assert {key.split("/")[1] for key in manifests} == {"weather_hourly"}


def test_called_again_for_the_same_time_it_resumes_where_it_was_interrupted(function, sandbox):
    event = {
        "source": "weather_hourly",
        "councils": ["sutton"],
        "from": "2026-11-12",
        "scheduled_time": "2026-11-13T06:20:00Z",
    }
    points = council("sutton").points
    assert len(points) >= 2
    fail(sandbox[1], "503", latitude=str(points[-1].latitude))
    with pytest.raises(SourceUnavailable):
        handler(event, CONTEXT)
    begun = {key.split("/")[4] for key in keys(function)}
    sandbox[1].unlink()

    done = handler(event, CONTEXT)

    assert len(begun) == 1
    assert done["landings"] == list(begun)


def test_a_partition_that_fails_does_not_block_others_and_is_raised(function, sandbox):
    fail(sandbox[1], start_date="2026-11-15")
    event = {"source": "weather_hourly", "from": "2026-11-14", "to": "2026-11-16"}

    with pytest.raises(PermanentError, match="2026-11-15"):
        handler(event | {"councils": ["sutton"]}, CONTEXT)

    days = {key.split("/")[3] for key in keys(function) if key.endswith("manifest.json")}
    assert days == {"2026-11-14", "2026-11-16"}


@pytest.mark.parametrize(
    ("event", "error", "says"),
    [
        ({}, PermanentError, "has no 'source'"),
        ({"source": "tea_leaves"}, UnknownName, "tea_leaves"),
    ],
)
def test_an_event_that_asks_for_nothing_is_refused_with_a_sentence(function, event, error, says):
    with pytest.raises(error, match=says):
        handler(event, CONTEXT)


def test_the_dag_s_scheduled_run_loads_the_function_s_landing_and_requests_no_api(
    function, monkeypatch
):
    began = datetime.now(UTC)
    (landing_id,) = handler({"source": "bank_holidays"}, CONTEXT)["landings"]
    monkeypatch.setenv("WANDLE_SERVERLESS", "weather_hourly, bank_holidays")
    monkeypatch.setenv("WANDLE_SANDBOX_URL", "http://127.0.0.1:9")
    extract = _task_of_dag("extract", monkeypatch)

    found = extract(
        source="bank_holidays",
        council="uk",
        period=f"{began:%Y-%m}" if contract("bank_holidays").period == "month" else f"{began:%F}",
        params={"mode": "fetch"},
        ti=SimpleNamespace(run_id="scheduled__now"),
        dag_run=SimpleNamespace(run_type="scheduled", run_after=began),
    )

    assert found == landing_id


def test_a_landing_from_before_the_run_is_not_taken_for_the_run_s(function):
    handler({"source": "bank_holidays"}, CONTEXT)
    source = contract("bank_holidays")
    now = datetime.now(UTC)
    period = f"{now:%Y-%m}" if source.period == "month" else f"{now:%F}"
    lake = lake_of(Settings.read())

    with pytest.raises(ServiceUnavailable, match="landed nothing since"):
        wait_for_landing(
            source.partition("uk", period), lake=lake, since=now + timedelta(hours=1), seconds=0
        )


@pytest.mark.parametrize(("named", "expected"), [("", False), ("a,bank_holidays", True)])
def test_only_sources_that_settings_name_are_a_function_s(aws, monkeypatch, named, expected):
    monkeypatch.setenv("WANDLE_SERVERLESS", named)

    assert is_serverless(contract("bank_holidays")) is expected


def _task_of_dag(name: str, patch: pytest.MonkeyPatch) -> Any:
    """The function behind a task of dags/ingest.py, with the bucket of the settings."""
    spec = importlib.util.spec_from_file_location("ingest_dags", INGEST)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    patch.setattr(module, "lake", lambda: lake_of(Settings.read()))
    # Only for the ledger entry of a failure.
    patch.setattr(module, "loader_dsn", lambda: "")
    return getattr(module, name).function
