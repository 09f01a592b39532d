"""From an answer to its staging view by `wandle new-source` and the steps after it.

Every record and every value must arrive. dbt takes seconds to start, so that many sources share
one build; `EXAMPLES` says how many are generated.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from psycopg import sql
from psycopg.rows import dict_row

from include.definitions import read_definition
from include.errors import PipelineError
from include.jobs.author import new_source as author
from include.jobs.operate import explain as explaining
from include.jobs.operate import verify as verifying
from include.jobs.operate.drift import unknown_fields
from include.jobs.operate.erase import erase
from include.jobs.operate.erase_subject import Subject
from include.jobs.pipeline.ingest import ingest
from include.jobs.pipeline.selection import Selection
from include.settings import Settings
from include.sources.columns import SYSTEM_COLUMNS
from include.sources.model import Contract, contracts
from include.sources.raw_table import STAGED
from include.transform import sources, staging
from include.transform.graph import Result
from include.transform.process import Dbt
from include.transform.project import FOLDER
from include.warehouse.schema.migrate import migrate
from tests.answers import Answer, answers, difference
from tests.integration.conftest import Warehouse
from tests.integration.fixture_server import FixtureServer, Reply, serving_fixture
from tests.samples import column, contract, extracting

EXAMPLES = int(os.environ.get("EXAMPLES", "40"))
TODAY = "2026-11-01"


def generated() -> list[Answer]:
    """Answers of every kind, other ones each time."""
    found: list[Answer] = []

    @given(answers)
    @settings(
        max_examples=EXAMPLES,
        phases=[Phase.generate],
        database=None,
        suppress_health_check=[*HealthCheck],
    )
    def collect(answer: Answer) -> None:
        found.append(answer)

    collect()
    return found


@dataclass
class Project:
    """A copy of the dbt project with sources and models of its own."""

    folder: Path
    contracts: list[Contract] = field(default_factory=list)

    @property
    def models(self) -> Path:
        """Where contracts are stored, and staging models below."""
        return self.folder / "models" / "staging"

    def draft(self, answer: Answer, monkeypatch: pytest.MonkeyPatch) -> Contract | str:
        """The contract that `wandle new-source` writes, or why it writes none."""
        name = f"things_{len(self.contracts)}"
        file = self.folder / "answer"
        file.write_bytes(answer.body)
        monkeypatch.setattr(author, "sync", list)
        try:
            author.new_source(
                name,
                url=f"https://{name.replace('_', '-')}.example.org/v1/all?on={TODAY}",
                file=file,
                period="day",
                folder=self.folder,
            )
        except PipelineError as error:
            return str(error)
        self.contracts.append(read_definition(self.folder / f"{name}.yaml", Contract))
        return self.contracts[-1]

    def add(self, made: Contract) -> None:
        """A contract that a person wrote, with the model that fits it."""
        self.contracts.append(made)
        for path, content in staging.model_files(made).items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")

    def build(self, warehouse: Warehouse, home: Path) -> list[Result]:
        """What dbt says of every model and test."""
        known = {item.name: item for item in self.contracts}
        (self.models / "_sources.yml").write_text(sources.render(known), encoding="utf-8")
        dsn = warehouse.dsn("wandle_transformer")
        with Dbt(dsn=dsn, home=home, progress=lambda line: None, project=self.folder) as dbt:
            return dbt.build(dbt.nodes())


@pytest.fixture
def project(tmp_path, monkeypatch) -> Project:
    folder = tmp_path / "dbt_project"
    leave = shutil.ignore_patterns("target", "logs", "models", "*.sql.bak", "marts_*.sql")
    shutil.copytree(FOLDER, folder, ignore=leave)
    made = Project(folder)
    made.models.mkdir(parents=True)
    monkeypatch.setattr(staging, "STAGING", made.models)
    return made


@pytest.fixture
def api(monkeypatch, deployment) -> Iterator[FixtureServer]:
    server = FixtureServer()
    with serving_fixture(server) as url:
        monkeypatch.setenv("WANDLE_SANDBOX_URL", url)
        yield server


def loaded(made: Contract, lake: Any, warehouse: Warehouse) -> list[dict[str, Any]]:
    """The ledger's entries of one partition, fetched and loaded without a failure."""
    where = [made.partition("uk", made.start.isoformat())]
    outcomes = [*ingest(made, where, lake=lake, dsn=warehouse.dsn())]
    assert [outcome.error for outcome in outcomes] == [None]
    return [outcome.entry or {} for outcome in outcomes]


def staged(made: Contract, warehouse: Warehouse) -> list[dict[str, Any]]:
    """The rows of a staging view, with what its raw table has in `_extra`."""
    query = sql.SQL(
        "select staged.*, raw._extra from {} staged join {} raw "
        "on raw._record_no = staged.record_no where staged.council = 'uk'"
    ).format(
        sql.Identifier("staging", staging.model_path(made.name).stem),
        sql.Identifier("raw", made.name),
    )
    with psycopg.connect(warehouse.admin, row_factory=dict_row) as connection:
        return connection.execute(query).fetchall()


@pytest.mark.timeout(120 + 10 * EXAMPLES)
def test_every_drafted_source_arrives_in_its_staging_view_complete(
    project, api, lake, new_database, monkeypatch, tmp_path
):
    warehouse = new_database()
    given_answers = generated()
    drafted = [
        (made, answer)
        for answer in given_answers
        if isinstance(made := project.draft(answer, monkeypatch), Contract)
    ]
    assert len(drafted) > len(given_answers) / 2
    for made, answer in drafted:
        api.on(f"^/{made.extract.host}/", Reply(answer.body))
    migrate(warehouse.admin, project.contracts, {})

    entries = {made.name: loaded(made, lake, warehouse)[0] for made, _ in drafted}
    results = project.build(warehouse, tmp_path / "home")

    assert [item for item in results if not item.good] == []
    assert sum(item.resource_type == "model" for item in results) == len(drafted)
    for made, answer in drafted:
        assert entries[made.name]["quarantined"] == 0
        rows = staged(made, warehouse)
        assert len(rows) == entries[made.name]["loaded"]
        assert difference(made, answer, rows) == "", answer.body


@pytest.fixture
def keywords(new_database) -> list[str]:
    """Every word that PostgreSQL has a use for, so that it may not be what it seems."""
    found = new_database().query("select word from pg_get_keywords() where catcode <> 'U'")
    return [word for (word,) in found if word not in SYSTEM_COLUMNS]


def test_columns_named_by_keywords_pass_through_every_step(
    project, api, lake, new_database, monkeypatch, tmp_path, keywords
):
    assert {"user", "order", "on", "select", "table"} <= {*keywords}
    warehouse = new_database()
    hostile = contract(
        *(column(word, required=word == "order") for word in keywords),
        column("latitude", "double", path=r"geo\.lat"),
        name="order",
        key=["user", "order"],
        period="day",
        councils="uk",
        start=TODAY,
        extract=extracting(base_url="https://order.example.org", request={"path": "/all"}),
    )
    project.add(hostile)
    records = [
        {**{word: f"{word} {number}" for word in keywords}, "geo.lat": 51.5, "a.new": number}
        for number in range(3)
    ]
    monkeypatch.setitem(contracts(), "order", hostile)
    monkeypatch.setenv("WANDLE_LOADER_DSN", warehouse.dsn())
    monkeypatch.setenv("WANDLE_PSEUDONYM_KEY", "k" * 64)
    api.on("/all", records[:2], records)
    migrate(warehouse.admin, [hostile], {})

    loaded(hostile, lake, warehouse)
    loaded(hostile, lake, warehouse)

    assert [item for item in project.build(warehouse, tmp_path / "home") if not item.good] == []
    rows = sorted(staged(hostile, warehouse), key=lambda row: row["record_no"])
    assert [row["user"] for row in rows] == ["user 0", "user 1", "user 2"]
    assert [row["latitude"] for row in rows] == [51.5] * 3
    verified = verifying.verify(
        lake=lake, dsn=warehouse.dsn(), selection=Selection(sources=("order",)), deep=True
    )
    assert (verified.partitions, verified.differences) == (1, [])
    wanted = {"user": "user 1", "order": "order 1"}
    found = explaining.explain("raw.order", wanted, lake=lake, settings=Settings.read())
    assert found.found == 1
    assert [item["field"] for item in unknown_fields(warehouse.dsn(), ["order"])] == [r"a\.new"]
    erase(
        hostile,
        Subject(hostile, wanted),
        lake=lake,
        dsn=warehouse.dsn(),
        by="somebody",
        rebuild=lambda: None,
    )
    assert {row["user"] for row in staged(hostile, warehouse)} == {"user 0", "user 2"}


def test_fields_that_are_named_like_our_own_columns_are_kept_next_to_them(
    project, api, lake, new_database, monkeypatch, tmp_path
):
    warehouse = new_database()
    names = ("council", "day", "month", "landing_id", "record_no", "_council", "_period", "xmin")
    records = [{name: f"{name} {number}" for name in names} for number in range(2)]
    made = project.draft(_answer(records), monkeypatch)
    assert isinstance(made, Contract)
    api.on("/v1/all", records)
    migrate(warehouse.admin, [made], {})
    loaded(made, lake, warehouse)

    results = project.build(warehouse, tmp_path / "home")

    assert [item for item in results if not item.good] == []
    rows = staged(made, warehouse)
    assert {row["council"] for row in rows} == {"uk"}
    assert difference(made, _answer(records), rows) == ""
    assert not {item.name for item in made.columns} & {*STAGED.values(), *SYSTEM_COLUMNS}


def _answer(records: list[dict[str, Any]]) -> Answer:
    return Answer(json.dumps(records).encode(), records)
