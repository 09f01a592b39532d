"""What runs in the process that is killed: the real job, and nothing of the test but its points."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from multiprocessing.connection import Connection as Pipe
from types import SimpleNamespace
from typing import Any

import boto3
from botocore.config import Config
from psycopg import RawCursor
from tenacity import nap

from include.errors import PipelineError, RetryableError
from include.extract import client as asking
from include.jobs.lake import S3_CONFIG, Lake
from include.jobs.pipeline.extract import extract
from include.jobs.pipeline.load import load
from include.landing.write import Draft
from include.settings import Settings
from include.sources.extract.http import Rate
from include.sources.model import Contract, contract
from include.warehouse import prepare as preparing
from tests.chaos import points

# So that a partition of some hundred records is several batches.
BATCH_RECORDS = 40


@dataclass(frozen=True)
class Fault:
    """Where a job is interrupted, at which visit of that point, and what happens then.

    `kill` ends it; `pause` lets the harness disturb a service in between.
    """

    point: str
    number: int = 1
    do: str = "kill"


@dataclass(frozen=True)
class Work:
    """One attempt of one job."""

    job: str
    source: str
    council: str
    period: str
    run_id: str
    environment: dict[str, str] = field(repr=False)
    landing_id: str | None = None
    fault: Fault | None = None
    flaw: str | None = None


def run(work: Work, pipe: Pipe) -> None:
    """Do it, and send how it ended: `("done", answer)` or `("failed", retryable, message)`."""
    os.environ.update(work.environment)
    settings = Settings.read()
    lake = _lake(settings)
    _without_pauses()
    if work.flaw:
        FLAWS[work.flaw]()
    if work.fault:
        interrupt = points.kill if work.fault.do == "kill" else lambda: _pause(pipe)
        points.arm(work.fault.point, work.fault.number, interrupt, lake.s3)
    try:
        pipe.send(("done", _job(work, lake, settings)))
    except PipelineError as error:
        pipe.send(("failed", isinstance(error, RetryableError), str(error)))


def _job(work: Work, lake: Lake, settings: Settings) -> Any:
    source = impatient(contract(work.source))
    where = {"lake": lake, "run_id": work.run_id}
    if work.job == "extract":
        return extract(source, source.partition(work.council, work.period), **where)  # type: ignore[arg-type]
    dsn = settings.need("loader_dsn")
    return load(
        source,
        source.partition(work.council, work.period),
        dsn=dsn,
        landing_id=work.landing_id,
        **where,
    )  # type: ignore[arg-type]


def impatient(source: Contract) -> Contract:
    """The same contract, with an API that is waited for one second and asked twice."""
    extracting = source.extract.model_copy(update={"timeout_seconds": 1, "attempts": 2})
    return source.model_copy(update={"extract": extracting})


def _lake(settings: Settings) -> Lake:
    # Without the client's own retries, so that a fault of S3 reaches the job.
    session = boto3.Session(
        aws_access_key_id=settings.s3_access_key,
        aws_secret_access_key=settings.s3_secret_key,
        region_name=settings.region,
    )
    config = S3_CONFIG.merge(Config(retries={"total_max_attempts": 1}))
    s3 = session.client("s3", endpoint_url=settings.s3_endpoint, config=config)
    return Lake(s3, settings.bucket, session)


def _without_pauses() -> None:
    """Neither the API's rate limit nor pauses between attempts: they are tested elsewhere."""
    preparing.BATCH_RECORDS = BATCH_RECORDS
    nap.time = SimpleNamespace(sleep=lambda seconds: None)  # type: ignore[assignment]
    unlimited = asking.limiter("unlimited", Rate(per_second=1000, burst=1_000_000), None)
    asking.limiter = lambda host, rate, shared_in: unlimited  # type: ignore[assignment]


def _pause(pipe: Pipe) -> None:
    pipe.send(("paused",))
    pipe.recv()


# --- jobs made wrong on purpose, to show that the harness finds it ---------------------------


def _commit_the_delete() -> None:
    execute = RawCursor.execute

    def committing(self: Any, statement: Any, *arguments: Any, **named: Any) -> Any:
        result = execute(self, statement, *arguments, **named)
        if points.deletes(statement):
            self.connection.commit()
        return result

    RawCursor.execute = committing  # type: ignore[method-assign]


def _commit_the_rows() -> None:
    points.around_copies(done=lambda cursor: cursor.connection.commit())


def _write_the_manifest_first() -> None:
    add = Draft.add

    def manifest_with_each_page(self: Draft, *arguments: Any) -> Any:
        page = add(self, *arguments)
        self.finish(
            run_id="flawed", code_version="", started_at=page.fetched_at, parents={},
        )  # fmt: skip
        return page

    Draft.add = manifest_with_each_page  # type: ignore[method-assign]


FLAWS = {
    "the delete is committed alone": _commit_the_delete,
    "the rows are committed before the ledger": _commit_the_rows,
    "the manifest is written with the first page": _write_the_manifest_first,
}
