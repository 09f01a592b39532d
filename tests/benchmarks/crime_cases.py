"""The case on recorded crimes: 4,356 small pages as the police's API served them, or few pages."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from tests.benchmarks.bench import Bench
from tests.benchmarks.contenders import Task
from tests.benchmarks.contracts import contract_of
from tests.benchmarks.landed import land
from tests.benchmarks.measuring import FLOOR, Entry, Step

CASES = {"crimes": "recorded crimes of 18 boroughs: 4,356 pages as served, or few"}
ARCHIVE = Path("police") / "london_2017_18_boroughs.tar.xz"
CONTRACT = contract_of("police_street_crime")
# All of them as one partition, of a council that represents them.
COUNCIL, MONTH = "london", "2017-01"
FEW_PAGES_RESPONSES = 200

Response = tuple[str, int, bytes]


def entries(bench: Bench, payloads: Path) -> list[Entry]:
    """Copy, ready Arrow batches, and ours: from the pages as recorded, and from few pages.

    None where the archive is not in `payloads`.
    """
    if not (payloads / ARCHIVE).is_file():
        return []
    many, few = _landed(bench, payloads / ARCHIVE)
    task = bench.as_arrow(bench.made_ready(many))
    table = f"raw.{CONTRACT.name}"
    bench.same_rows("crimes", "the reference", CONTRACT, table)()
    rows = bench.expected["crimes"][0]
    before: Step = lambda: bench.empty(CONTRACT)  # noqa: E731

    def entry(name: str, what: Task) -> Entry:
        after = bench.same_rows("crimes", name, CONTRACT, table)
        return Entry("crimes", name, [[what]], rows, bench.runs, before, after)

    return [
        entry(FLOOR, replace(task, contender="copy")),
        entry("adbc", replace(task, contender="adbc")),
        entry("wandle, as recorded", many),
        entry("wandle, few pages", few),
    ]


def _landed(bench: Bench, archive: Path) -> tuple[Task, Task]:
    responses = _responses(archive)
    where = (COUNCIL, MONTH)
    bodies = ((body, records) for _, records, body in responses)
    wards = ({"ward.code": ward, "ward.name": ward} for ward, _, _ in responses)
    many = land(bench.lake, CONTRACT, *where, bodies, wards)
    few = land(bench.lake, CONTRACT, *where, _few(responses))
    return (
        Task("wandle", CONTRACT.name, *where, many),
        Task("wandle", f"{CONTRACT.name}/ward_in_record", *where, few),
    )


def _responses(archive: Path) -> list[Response]:
    """The ward, number of records and body of each response, in order of their names."""
    found: dict[str, bytes] = {}
    with tarfile.open(archive) as tar:
        for member in tar:
            file = tar.extractfile(member)
            if file and member.name.endswith(".json"):
                found[member.name] = file.read()
    return [
        (Path(name).stem.partition("_")[0], len(json.loads(body)), body)
        for name, body in sorted(found.items())
    ]


def _few(responses: list[Response]) -> Iterator[tuple[bytes, int]]:
    for first in range(0, len(responses), FEW_PAGES_RESPONSES):
        records = [
            {"ward_code": ward, "ward_name": ward, **record}
            for ward, _, body in responses[first : first + FEW_PAGES_RESPONSES]
            for record in json.loads(body)
        ]
        yield json.dumps(records, separators=(",", ":")).encode(), len(records)
