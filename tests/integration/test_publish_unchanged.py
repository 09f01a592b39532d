"""A run for which nothing changed publishes nothing, and everything else publishes as before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError

from include.errors import PermanentError, ServiceUnavailable
from include.jobs.lake import Lake
from include.jobs.publish import prepare, state
from include.jobs.publish import publish as job
from include.jobs.publish import versions as jobs
from include.jobs.publish.publish import NotPublic, publish_marts
from include.jobs.publish.state import state_of
from include.publish.versions import INDEX, Published
from include.sources.model import contracts
from include.transform import docs, history
from include.transform.process import Dbt
from include.warehouse.schema.migrate import migrate
from tests.integration.built_world import (
    CRIMES,
    MONTHS,
    World,
    crime,
    small_project,
)

MART = "ward_crime_monthly"
ROLE = "wandle_publisher"
CATEGORIES = ("burglary", "drugs", "robbery", "shoplifting", "bicycle-theft")


@pytest.fixture(scope="module")
def world(new_database, tmp_path_factory) -> Iterator[World]:
    """Built once; each test changes something of it."""
    database = new_database()
    migrate(database.admin, contracts().values(), {})
    home = tmp_path_factory.mktemp("dbt")
    project = small_project(home / "project")
    dsn = database.dsn("wandle_transformer")
    with Dbt(dsn=dsn, home=home, progress=print, project=project) as dbt:
        world = World(database, project, home, dbt)
        world.fill()
        world.build()
        yield world


@pytest.fixture
def run(world, lake) -> Callable[..., dict[str, Any]]:
    """Builds what changed and publishes, as a run of `transform` does."""

    def transform(dbt: Dbt | None = None) -> dict[str, Any]:
        world.build(dbt=dbt)
        return published(world, lake, dbt or world.dbt)

    return transform


def published(world: World, lake: Lake, dbt: Dbt) -> dict[str, Any]:
    with history.building(world.database.dsn("wandle_transformer")) as opened:
        return publish_marts(
            dbt,
            opened,
            publisher_dsn=world.database.dsn(ROLE),
            lake=lake,
            built_nothing=opened.built_nothing(f"run {world.runs}"),
        )


def load(world: World, number: int) -> None:
    """Another category, so other rows."""
    rows = [crime(1, MONTHS[0], category=CATEGORIES[number])]
    world.load(CRIMES, "kingston", MONTHS[0], rows)


def test_a_run_for_which_nothing_changed_reads_only_the_index(world, run, bucket):
    first = run()
    bucket.calls.clear()

    with world.restarted() as dbt:
        done = run(dbt)
        assert not dbt.started

    assert (done["version"], done["new"]) == (first["version"], False)
    assert done["rows"] == first["rows"]
    assert len(done["rows"]) == 3
    assert dict(bucket.calls) == {"GetObject": 1}


def test_the_next_load_is_published_by_the_next_run(world, run):
    before = run()["version"]
    load(world, 1)

    done = run()

    assert done["new"]
    assert done["version"] != before
    assert done["changes"].keys() >= {MART}
    assert not run()["new"]


def test_a_load_that_changes_no_mart_is_checked_once(world, run, bucket):
    version = run()["version"]
    world.load(CRIMES, "sutton", "2016-01-01", [])
    done = run()
    assert (done["version"], done["new"]) == (version, False)

    with world.restarted() as dbt:
        assert run(dbt)["version"] == version
        assert not dbt.started


def test_a_changed_description_is_published(world, run):
    before = run()["version"]
    path = world.project / "models" / "marts" / f"{MART}.yml"
    text = path.read_text()
    path.write_text(text.replace("Crimes by ward, month", "All crimes by ward, month", 1))

    with world.restarted() as dbt:
        done = run(dbt)

    path.write_text(text)
    assert done["new"]
    assert done["version"] != before
    assert run()["version"] == before


def test_a_source_that_became_internal_is_left_out_and_reported_by_every_run(
    world, run, lake, monkeypatch
):
    run()
    run()
    crimes = contracts()[CRIMES].model_copy(update={"access": "internal"})
    changed = {**contracts(), CRIMES: crimes}
    for module in (job, prepare, state):
        monkeypatch.setattr(module, "contracts", lambda: changed)

    for _ in range(2):
        with pytest.raises(NotPublic, match=MART):
            run()

    index = Published(lake.s3, lake.bucket).index()
    assert MART not in index.entry(index.current).datasets
    assert index.made_from == ("", "")


@pytest.mark.parametrize("what", ["councils", "layout", "code"])
def test_whatever_a_version_depends_on_is_part_of_the_state(world, monkeypatch, what):
    def now() -> str:
        with history.building(world.database.dsn("wandle_transformer")) as opened:
            return state_of(opened, world.project)

    before = now()
    assert now() == before
    if what == "code":
        monkeypatch.setenv("WANDLE_CODE_VERSION", "another")
    else:
        name = {"councils": "council_titles", "layout": "layout_hash"}[what]
        monkeypatch.setattr(state, name, lambda: {"other": "Other"})

    assert now() != before


def test_a_mart_that_was_truncated_by_hand_is_a_changed_state(world, monkeypatch):
    with history.building(world.database.dsn("wandle_transformer")) as opened:
        before = state_of(opened, world.project)
        world.database.query(f"truncate marts.{MART}")
        assert state_of(opened, world.project) != before
    world.build()


def test_withdrawn_content_is_refused_by_every_run(world, run, lake):
    dsn = world.database.dsn("wandle_transformer")
    first = run()["version"]
    load(world, 2)
    second = run()["version"]
    assert jobs.withdraw(second, dsn=dsn, lake=lake).current == first

    for _ in range(2):
        with pytest.raises(PermanentError, match=f"withdrawn as version {second}"):
            run()


def test_a_pinned_version_stays_if_nothing_changed(world, run, lake):
    dsn, store = world.database.dsn("wandle_transformer"), Published(lake.s3, lake.bucket)
    first = run()["version"]
    load(world, 3)
    second = run()["version"]
    jobs.use(first, dsn=dsn, lake=lake)

    with world.restarted() as dbt:
        assert run(dbt)["version"] == second
        assert not dbt.started
    assert store.index().current == first


def test_a_publication_that_stops_anywhere_is_repeated_by_the_next_run(world, run, lake, bucket):
    store = Published(lake.s3, lake.bucket)
    run()
    written = [key for name, key in bucket.keys if name == "PutObject"]
    published = written.index(INDEX) + 1
    before = store.index()
    load(world, 4)

    for stops_at in (1, published // 2, published - 1, published):
        with stopped(lake, stops_at), pytest.raises(ServiceUnavailable):
            run()  # the first one builds, the others do not
        assert store.index() == before
    complete(store, before.current)
    with stopped(lake, len(written)), pytest.raises(ServiceUnavailable):
        run()  # it is published, but not known to be up to date
    done = run()

    assert store.index().current == done["version"] != before.current
    complete(store, done["version"])


class stopped:
    """S3 that is gone from the `number`th object on that is written."""

    def __init__(self, lake: Lake, number: int) -> None:
        self._events, self._left = lake.s3.meta.events, number

    def __enter__(self) -> None:
        self._events.register("before-send.s3.PutObject", self._send)

    def __exit__(self, *_: object) -> None:
        self._events.unregister("before-send.s3.PutObject", self._send)

    def _send(self, request: Any, **_: Any) -> None:
        self._left -= 1
        if self._left <= 0:
            raise BotoCoreError  # not one that the client library tries again


def complete(store: Published, version: str) -> None:
    described = store.version(version)
    assert len(described["files"]) > 20
    for path in described["files"]:
        store.read(version, path)


def test_documentation_that_was_not_published_is_published_by_the_next_run(lake, tmp_path):
    page = tmp_path / "page.html"
    page.write_text("1")
    assert docs.up_to_date(lake.s3, lake.bucket, "one") == ""
    place = docs.publish(lake.s3, lake.bucket, page, datetime.now(UTC), made_from="one")
    assert docs.up_to_date(lake.s3, lake.bucket, "one") == place
    assert docs.up_to_date(lake.s3, lake.bucket, "two") == ""
    with stopped(lake, 2), pytest.raises(ServiceUnavailable):
        docs.publish(lake.s3, lake.bucket, page, datetime.now(UTC), made_from="two")
    assert docs.up_to_date(lake.s3, lake.bucket, "one") == place
    assert docs.up_to_date(lake.s3, lake.bucket, "two") == ""


def test_an_index_of_an_older_release_is_read(lake, bucket):
    bucket.put(
        INDEX,
        b'{"format": 1, "current": "", "versions": [], "pinned": false, "withdrawn": ["x"]}',
    )

    index = Published(lake.s3, lake.bucket).index()

    assert (index.withdrawn, index.made_from) == (("x",), ("", ""))
    assert index.unchanged("") is None


def test_a_clock_that_goes_back_does_not_make_an_old_success_the_latest(world, run):
    """A mart that failed is kept, whatever the clock of the database says."""
    run()
    world.database.query(
        "update ops.dbt_run set started_at = started_at + interval '1 day', "
        "finished_at = finished_at + interval '1 day'"
    )
    world.load(CRIMES, "kingston", MONTHS[1], [crime(1, MONTHS[1], category=None)])

    with pytest.raises(Exception, match="not_null_stg_police__street_crime_category"):
        run()
    with history.building(world.database.dsn("wandle_transformer")) as opened:
        latest = opened.latest()

    name = next(name for name in latest if "not_null_stg_police__street_crime_category" in name)
    assert latest[name] == "fail"
    world.load(CRIMES, "kingston", MONTHS[1], [crime(1, MONTHS[1])])
    run()
