"""A source that reads another one's landings: its own table, from answers that came once."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml

from include.errors import LandingDamaged, PermanentError
from include.jobs.followers import derive
from include.jobs.followers.pending import pending
from include.jobs.operate.erase import erase
from include.jobs.operate.erase_search import find
from include.jobs.operate.erase_subject import Subject
from include.jobs.operate.explain import explain
from include.jobs.operate.housekeeping import housekeeping
from include.jobs.operate.remove import remove
from include.jobs.operate.remove_scope import find_scope
from include.jobs.operate.verify import verify
from include.jobs.pipeline import extract as job
from include.jobs.pipeline.ingest import ingest
from include.jobs.pipeline.selection import Selection
from include.settings import Settings
from include.sources import model as sources
from include.sources.model import contract, contracts
from include.warehouse.schema.migrate import migrate
from tests.broken import copied
from tests.integration.conftest import Warehouse, serving
from tests.integration.fixture_server import Asked, FixtureServer, Reply
from tests.samples import column, contract_fields, extracting

DAY = "2026-11-02"
PLANS = contract_fields(
    column("id", "integer", required=True),
    column("who", personal="pseudonymise"),
    name="plans",
    period="day",
    retention_days=3650,
    key=["id"],
    extract=extracting(
        request={"path": "/plans", "query": {"day": "{period:%Y-%m-%d}"}},
        paging={"kind": "page", "parameter": "page", "size": 2},
    ),
    format={"records": "plans"},
)
DOCUMENTS = {
    **contract_fields(
        column("plan_id", "integer", required=True),
        column("name", required=True),
        name="documents",
        period="day",
        retention_days=3650,
        key=["plan_id", "name"],
        extract={"kind": "landing", "source": "plans"},
        format={"records": "plans.*.documents", "inherit": {"plan_id": "id"}},
    )
}
del DOCUMENTS["schedule"]
FIRST = [
    {"id": 1, "who": "Ada", "documents": [{"name": "a"}, {"name": "b"}]},
    {"id": 2, "who": "Eve", "documents": []},
]
SECOND = [{"id": 3, "who": "Eve", "documents": [{"name": "c"}]}]


def pages(*of: Any) -> Any:
    """Answers each page of the plans, by its number."""

    def answer(asked: Asked) -> Reply:
        number = int(asked.values["page"])
        return Reply(json.dumps({"plans": of[number] if number < len(of) else []}).encode())

    return answer


@pytest.fixture(scope="module")
def made(new_database, tmp_path_factory) -> Iterator[Warehouse]:
    database = new_database()
    with copied(tmp_path_factory.mktemp("followers")) as found:
        for path in found.sources.glob("*.yaml"):
            path.unlink()
        for fields in (PLANS, DOCUMENTS):
            found.write(found.sources / f"{fields['name']}.yaml", yaml.safe_dump(fields))
        migrate(database.admin, list(contracts().values()), {})
        yield database


@pytest.fixture
def server(made, lake, deployment, monkeypatch) -> Iterator[FixtureServer]:
    """The API; a clock that moves on, so that landings have an order."""

    class Clock(datetime):
        moment = datetime.now(UTC)

        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            cls.moment += timedelta(seconds=1)
            return cls.moment

    monkeypatch.setattr(job, "datetime", Clock)
    monkeypatch.setattr(derive, "datetime", Clock)
    monkeypatch.setenv("WANDLE_PSEUDONYM_KEY", "k" * 64)
    found = FixtureServer().on("/plans", pages(FIRST, SECOND))
    with serving(found) as url:
        monkeypatch.setenv("WANDLE_SANDBOX_URL", url)
        monkeypatch.setenv("WANDLE_LOADER_DSN", made.dsn())
        yield found
    ops = ("landing", "load", "quarantine", "removal")
    made.query(f"truncate raw.plans, raw.documents, {', '.join(f'ops.{name}' for name in ops)}")


@pytest.fixture
def run(server, lake, made):
    def ingested(name: str, day: str = DAY, **how: Any) -> dict[str, Any]:
        where = contract(name).partition("sutton", day)
        (outcome,) = ingest(contract(name), [where], lake=lake, dsn=made.dsn(), **how)
        if outcome.error:
            raise outcome.error
        return outcome.entry

    return ingested


@pytest.fixture
def both(run) -> None:
    run("plans")
    run("documents")


def documents(made: Warehouse) -> list[Any]:
    return made.query("select plan_id, name from raw.documents order by 1, 2")


def due(made: Warehouse) -> list[str]:
    found = pending(contract("documents"), dsn=made.dsn(), now=datetime.now(UTC))
    return [str(partition.period) for partition in found]


def differences(made: Warehouse, lake: Any, **how: Any) -> list[tuple[str, str]]:
    found = verify(lake=lake, dsn=made.dsn(), **how)
    return [(one.source, one.kind) for one in found.differences]


def test_children_become_a_table_of_their_own_without_another_request(run, made, lake, server):
    run("plans")
    asked = len(server.asked)

    entry = run("documents")

    assert documents(made) == [(1, "a"), (1, "b"), (3, "c")]
    assert (entry["records"], entry["loaded"]) == (3, 3)
    assert len(server.asked) == asked
    keys = list(lake.landings.keys("landing/documents/"))
    assert [key.rpartition("/")[2] for key in keys] == ["manifest.json"]
    assert differences(made, lake, deep=True) == []


def test_its_rows_are_traced_to_the_other_sources_page(both, lake):
    (origin,) = explain("raw.documents", {"name": "c"}, lake=lake, settings=Settings.read()).origins

    assert "/landing/plans/sutton/2026-11-02/" in origin.address
    assert (origin.page_no, origin.page_record_no) == (2, 1)
    assert json.loads(origin.record) == {"plan_id": 3, "name": "c"}


def test_it_is_due_when_the_other_source_has_landed_and_not_twice(run, made, server, lake):
    assert due(made) == []
    run("plans")
    assert due(made) == [DAY]
    assert ("documents", "newer landing") in differences(made, lake)
    first = run("documents")
    assert due(made) == []
    assert run("documents")["landing"] == first["landing"]

    server.on("/plans", pages(FIRST[:1], SECOND))
    run("plans")

    assert due(made) == [DAY]
    assert differences(made, lake) == [("documents", "newer landing")]
    assert run("documents")["landing"] > first["landing"]
    assert (due(made), differences(made, lake)) == ([], [])


def test_without_a_landing_it_says_what_to_fetch(run):
    with pytest.raises(PermanentError, match=r"plans has not landed it.*wandle ingest plans"):
        run("documents")


def test_an_answer_without_the_children_fails_and_names_the_page(run, server):
    server.on("/plans", pages([{"id": 1, "who": "Ada"}]))
    run("plans")

    with pytest.raises(LandingDamaged, match=r"landing/plans/.*0001.json.gz"):
        run("documents")


def test_the_table_is_rebuilt_from_s3_alone(both, run, made, server):
    before = made.value("select content_hash from ops.load where source = 'documents'")
    made.query("delete from raw.documents")
    server.on("/plans", b"gone")

    assert run("documents", fetch=False)["content_hash"] == before
    assert len(documents(made)) == 3


def erased(made: Warehouse, lake: Any, **how: Any) -> list[str]:
    built: list[str] = []
    subject = Subject(contract("plans"), {"who": "Ada"})
    erase(
        contract("plans"), subject, lake=lake, dsn=made.dsn(), by="ada",
        rebuild=lambda: built.append("marts"), **how,
    )  # fmt: skip
    return built


def test_a_person_erased_from_one_source_is_erased_from_the_other(both, made, lake):
    assert erased(made, lake) == ["marts"]

    assert documents(made) == [(3, "c")]
    assert made.query("select id from raw.plans order by 1") == [(2,), (3,)]
    bodies = [lake.s3.get_object(Bucket=lake.bucket, Key=key)["Body"].read()
              for key in lake.landings.keys("landing/")]  # fmt: skip
    assert len(bodies) == 5
    assert differences(made, lake, deep=True) == []
    assert made.query("select source, reason, records_erased from ops.removal order by source") == [
        ("documents", "erased", 2),
        ("plans", "erased", 1),
    ]
    assert erased(made, lake) == []


def retire(how: str) -> None:
    """Switch the second source off, delete its file, or break it."""
    path = sources.FOLDER / "documents.yaml"
    if how == "off":
        path.write_text(yaml.safe_dump(DOCUMENTS | {"enabled": False}))
    elif how == "gone":
        path.unlink()
    else:
        path.write_text("name: [")
    sources.read_again()


@pytest.fixture
def restored() -> Iterator[None]:
    """The second source is as it was, for the next test."""
    yield
    (sources.FOLDER / "documents.yaml").write_text(yaml.safe_dump(DOCUMENTS))
    sources.read_again()


@pytest.mark.parametrize("how", ["off", "gone", "broken"])
def test_a_retired_source_follows_an_erasure_and_is_not_cut_off(both, made, lake, restored, how):
    retire(how)
    chosen = Selection(("plans",), ("sutton",), (DAY,))
    (blocker,) = find_scope(chosen, dags=None, lake=lake, dsn=made.dsn()).blockers
    assert "documents reads the landings of plans" in blocker

    erased(made, lake)

    assert documents(made) == [(3, "c")]
    for key in lake.landings.keys("landing/"):
        body = lake.s3.get_object(Bucket=lake.bucket, Key=key)["Body"].read()
        assert b"Ada" not in (gzip.decompress(body) if key.endswith(".gz") else body)


def test_a_person_only_in_its_own_records_is_erased_in_the_source_that_was_fetched(both, lake):
    subject = Subject(contract("plans"), {"who": "Ada"})

    with pytest.raises(
        PermanentError,
        match=r"documents reads the landings of plans.*`wandle erase plans`; documents follows",
    ):
        find(contract("documents"), subject, lake=lake)


def test_personal_data_past_retention_take_its_rows_with_them(both, made, lake):
    later = datetime(2037, 1, 1, tzinfo=UTC)

    gone = housekeeping(lake=lake, dsn=made.dsn(), delete=True, now=later)

    assert {(one["source"], one["reason"]) for one in gone} == {
        ("plans", "expired"),
        ("documents", "expired"),
    }
    assert documents(made) == []
    assert list(lake.landings.keys("landing/")) == []


def test_a_partition_is_removed_only_after_what_reads_it(both, made, lake):
    chosen = (("sutton",), (DAY,))
    how = {"lake": lake, "dsn": made.dsn()}
    (blocker,) = find_scope(Selection(("plans",), *chosen), dags=None, **how).blockers
    assert "documents reads the landings of plans" in blocker

    remove(Selection(("documents",), *chosen), by="ada", dags=None, drop_tables=None, **how)

    assert documents(made) == []
    assert find_scope(Selection(("plans",), *chosen), dags=None, **how).blockers == []
    assert made.value("select count(*) from raw.plans") == 3
