"""The rows of a landing made ready beforehand, for those that are not asked to parse it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pyarrow as pa

from include.jobs.lake import Lake
from include.landing.read import read_pages
from include.local.services.postgres import binaries
from include.settings import Settings
from include.warehouse.prepare import PageBody, prepare
from tests.benchmarks.contenders import Task
from tests.benchmarks.contracts import contract_of


def csv_of(settings: Settings, table: str, target: Path) -> str:
    """Write what a raw table holds as CSV; returns the file's name."""
    copy = f"\\copy raw.{table} to '{target}' with (format csv)"
    command = [str(binaries() / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", copy]
    subprocess.run([*command, settings.admin_dsn], check=True)
    return str(target)


def arrow_of(lake: Lake, task: Task, target: Path) -> str:
    """Write the batches that our load hands to COPY as an Arrow stream; returns the file's name."""
    contract = contract_of(task.contract)
    where = contract.partition(task.council, task.period)
    manifest = lake.landings.manifest(where, task.landing_id)
    pages = (
        PageBody(page.name, page.context, page.records, page.bytes, body, page.way)
        for page, body in read_pages(lake.landings, where, manifest)
    )
    prepared = prepare(contract, where, task.landing_id, pages)
    batches = (batch.rows for batch in prepared)
    first = next(batches)
    with pa.OSFile(str(target), "wb") as file, pa.ipc.new_stream(file, first.schema) as stream:
        stream.write_batch(first)
        for batch in batches:
            stream.write_batch(batch)
    return str(target)
