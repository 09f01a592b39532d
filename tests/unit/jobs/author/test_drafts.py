"""wandle new-source on generated answers: what it writes loads all of them, or it says why not."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import Phase, event, given, settings
from hypothesis import strategies as st

from include.definitions import read_definition
from include.errors import PipelineError
from include.jobs.author import new_source as job
from include.sources.model import Contract
from include.sources.partition import Partition, Period
from include.warehouse.prepare import PageBody, prepare
from tests.answers import Answer, answers, difference, names
from tests.samples import counted

EXAMPLES = int(os.environ.get("EXAMPLES", "100"))
# Shrinking by explanation takes minutes.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)
pytestmark = pytest.mark.usefixtures("_apart")


@pytest.fixture(scope="module")
def _apart():
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as folder:
        patch.setattr("include.transform.staging.STAGING", Path(folder) / "staging")
        patch.setattr(job, "sync", list)
        patch.setattr("include.jobs.author.draft_files.model_files", lambda contract: {})
        yield


def drafted(body: bytes) -> Contract:
    """The contract, as it is read back from its file."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "answer"
        file.write_bytes(body)
        job.new_source("things", url="", file=file, period="day", folder=Path(folder))
        return read_definition(Path(folder) / "things.yaml", Contract)


def loaded(contract: Contract, answer: Answer) -> list[dict[str, Any]]:
    """The rows as they are copied into the raw table; nothing may be quarantined."""
    size = len(answer.body)
    page = PageBody("0001", {}, len(answer.records), size, io.BytesIO(answer.body))
    where = Partition(contract.name, "uk", Period.of(contract.start, "day"))
    counts, batches = counted(prepare(contract, where, "L", [page]))
    rows = [row for batch in batches for row in batch.to_pylist()]
    assert list(counts.quarantine) == []
    for row in rows:
        row["record_no"] = row["_record_no"]
        for name in [*(item.name for item in contract.columns if item.type == "jsonb"), "_extra"]:
            row[name] = None if row[name] is None else json.loads(row[name])
    return rows


def drafted_or_refused(body: bytes) -> Contract | str:
    """The contract, or why there is none; any other failure is a traceback."""
    try:
        return drafted(body)
    except PipelineError as error:
        return str(error)


@given(answers)
@settings(max_examples=EXAMPLES, phases=PHASES)
def test_what_is_drafted_loads_every_record_with_every_value(answer):
    contract = drafted_or_refused(answer.body)
    event("refused" if isinstance(contract, str) else "drafted")
    if isinstance(contract, str):
        assert contract.startswith("new-source: ")
        return

    assert difference(contract, answer, loaded(contract, answer)) == ""


@given(st.binary(max_size=200) | st.text(max_size=60).map(str.encode) | st.from_regex(rb'[{\["]'))
def test_bytes_of_any_kind_are_drafted_or_refused_but_never_break_it(body):
    contract = drafted_or_refused(body)

    assert isinstance(contract, Contract) or contract.startswith("new-source: ")


@given(st.lists(names.filter(bool), min_size=1, max_size=30, unique=True))
def test_each_field_of_any_name_gets_a_column_of_its_own(fields):
    record = {name: f"value {number}" for number, name in enumerate(fields)}
    answer = Answer(json.dumps([record]).encode(), [record])

    contract = drafted(answer.body)

    assert len(contract.columns) == len(fields)
    assert difference(contract, answer, loaded(contract, answer)) == ""
