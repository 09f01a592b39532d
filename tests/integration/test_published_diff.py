"""What the last publication changed: versions in a real S3, compared from their files."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from include.errors import PermanentError, ServiceUnavailable, UnknownName
from include.jobs import lake as lakes
from include.jobs.lake import Lake
from include.jobs.publish import diff as job
from include.jobs.publish import publish as publishing
from include.jobs.publish.datasets import from_mart
from include.jobs.publish.found import Found
from include.publish import public
from include.publish.public import PublicMart
from include.publish.read import Mart
from include.publish.site import build
from include.publish.versions import NotPublished, Published, used, without
from include.sources.model import contracts
from tests.command_line import command_line

CRIMES, WEATHER = "ward_crime_monthly", "weather_daily"
TYPES = {
    "integer": pa.int32(),
    "text": pa.string(),
    "bigint": pa.int64(),
    "numeric(6,2)": pa.decimal128(6, 2),
}
COLUMNS = {"ward_code": "text", "crimes": "integer", "note": "text"}
FIRST = [("E1", 5, "a"), ("E2", 7, None), ("E3", 1, "<b>|@somebody")]
SECOND = [("E1", 6, "a"), ("E3", 1, "<b>|@somebody"), ("E4", 2, "d")]


@pytest.fixture
def store(lake) -> Published:
    return Published(lake.s3, lake.bucket)


@pytest.fixture
def publish_to(tmp_path, monkeypatch) -> Callable[[Lake], Callable[..., str]]:
    """Publishes marts, made of rows, by the code that publishes; returns the version."""
    monkeypatch.setattr(build, "pages", lambda tables, about: iter([("index.html", b"x")]))

    def to(lake: Lake) -> Callable[..., str]:
        store = Published(lake.s3, lake.bucket)

        def run(
            rows: Mapping[str, Any],
            columns: Mapping[str, str] = COLUMNS,
            key: tuple[str, ...] = ("ward_code",),
            about: str = "",
        ) -> str:
            index = store.index()
            latest = store.version(index.newest) if index.newest else {}
            prepared = {}
            for name, some in rows.items():
                mart = PublicMart(
                    *("", name, name, about, dict.fromkeys(columns, "")),
                    sources=("police_street_crime",),
                )
                table = made(name, columns, key, some)
                folder = tmp_path / f"files{len(list(tmp_path.iterdir()))}"
                prepared[name] = from_mart(mart, table, contracts(), folder, latest)
            entry, _ = publishing._published(store, index, latest, prepared, Found())
            return entry.version

        return run

    return to


@pytest.fixture
def publish(publish_to, lake) -> Callable[..., str]:
    """The same, to the bucket of `lake`."""
    run: Callable[..., str] = publish_to(lake)
    return run


def made(name: str, columns: Mapping[str, str], key: tuple[str, ...], rows: Any) -> Mart:
    values = zip(*rows, strict=True) if rows else ([] for _ in columns)
    typed = pa.table(
        {
            column: pa.array([*some], TYPES[type_])
            for (column, type_), some in zip(columns.items(), values, strict=True)
        }
    )
    text = pa.table([pc.cast(column, pa.string()) for column in typed.columns], typed.column_names)
    return Mart(name, columns, key, text, typed)


@pytest.fixture
def wandle(monkeypatch, capsys, lake) -> Callable[..., tuple[int, str, str]]:
    """The command line, with nothing but S3: no database is set."""
    monkeypatch.setenv("WANDLE_BUCKET", lake.bucket)
    monkeypatch.setattr(lakes, "lake_of", lambda settings: lake)
    return command_line(monkeypatch, capsys)


def compared(lake: Lake, *marts: str, base: str = "") -> job.PublishedDiff:
    return job.published_diff(lake=lake, marts=marts, base=base, progress=lambda line: None)


@pytest.mark.parametrize("kept_lake", ["folder"], indirect=True)
def test_versions_in_the_bucket_of_one_machine_are_compared_too(kept_lake, publish_to):
    publish = publish_to(kept_lake)
    publish({CRIMES: FIRST})
    publish({CRIMES: SECOND})

    assert compared(kept_lake).differing == [CRIMES]


def test_rows_added_removed_and_changed_are_reported_with_profiles_and_a_sample(publish, wandle):
    first = publish({CRIMES: FIRST, WEATHER: FIRST})
    second = publish({CRIMES: SECOND, WEATHER: FIRST})

    code, out, err = wandle("diff", "--published", "--json")

    found = json.loads(out)
    assert (code, found["base"]["version"], found["head"]["version"]) == (0, first, second)
    crimes, weather = found["marts"]
    assert (crimes["name"], crimes["key"]) == (CRIMES, ["ward_code"])
    assert [crimes[name] for name in ("added", "removed", "changed")] == [1, 1, 1]
    assert (weather["differs"], weather["rows_after"]) == (False, 3)
    assert {column["name"]: column["changed"] for column in crimes["columns"]}["crimes"] == 1
    assert crimes["samples"][0] == {
        "kind": "changed", "key": {"ward_code": "E1"}, "values": {"crimes": ["5", "6"]},
    }  # fmt: skip
    assert found["notes"] == []
    assert f"Comparing {CRIMES}: 1 of 2" in err
    assert WEATHER not in err


def test_the_report_is_the_one_of_revisions(publish, wandle):
    first, second = publish({CRIMES: FIRST}), publish({CRIMES: SECOND})

    code, out, _ = wandle("diff", "--published", f"marts.{CRIMES}")

    assert code == 0
    assert second in out
    assert first in out
    assert f"| `{CRIMES}` | 3 | 1 | 1 | 1 | the same |" in out
    assert "<details><summary>Changed rows: 1 of 1</summary>" in out
    assert "| `crimes` | `integer` | 1 (50.0 %) | 0 | 3 | `1` | `7` → `6` |" in out
    assert "`E4`" in out


def test_a_change_fails_only_if_asked(publish, wandle):
    publish({CRIMES: FIRST, WEATHER: FIRST})
    publish({CRIMES: SECOND, WEATHER: FIRST})

    assert wandle("diff", "--published", "--fail-on-change", WEATHER)[0] == 0
    code, _, err = wandle("diff", "--published", "--fail-on-change")

    assert code == 1
    assert f"diff: {CRIMES} changed from version" in err


def test_the_counts_are_those_of_the_list_of_versions(publish, store, lake):
    publish({CRIMES: FIRST})
    publish({CRIMES: SECOND})

    (mart,) = compared(lake).marts

    listed = store.index().versions[0].changes[CRIMES]
    assert listed == {"added": mart.added, "removed": mart.removed, "changed": mart.changed}


def test_marts_that_are_the_same_are_not_read(publish, bucket, lake):
    publish({CRIMES: FIRST, WEATHER: FIRST}, about="one")
    publish({CRIMES: FIRST, WEATHER: FIRST}, about="another")
    bucket.keys.clear()

    found = compared(lake)

    assert found.differing == []
    assert found.notes == (
        f"Other descriptions, titles or licences, but the same rows: `{CRIMES}`, `{WEATHER}`.",
    )
    read = [key for name, key in bucket.keys if name == "GetObject"]
    assert len(read) == 3
    assert not [key for key in read if "parquet" in key]
    assert "**No mart changed.**" in job.markdown(found)


def test_the_version_that_last_changed_a_mart_is_named(publish, lake):
    first = publish({CRIMES: FIRST, WEATHER: FIRST})
    publish({CRIMES: SECOND, WEATHER: FIRST})
    publish({CRIMES: SECOND, WEATHER: SECOND})

    (note,) = compared(lake, CRIMES).notes

    assert f"`wandle diff --published {CRIMES} --base {first}`" in note
    (mart,) = compared(lake, CRIMES, base=first).marts
    assert (mart.added, mart.removed, mart.changed) == (1, 1, 1)


def test_changes_of_the_schema_are_named(publish, lake):
    publish({CRIMES: FIRST})
    columns = {"ward_code": "text", "crimes": "bigint", "ward_name": "text"}
    publish({CRIMES: [("E1", 5, "x"), ("E2", 8, "y")]}, columns, key=("ward_code", "crimes"))

    (mart,) = compared(lake).marts

    assert mart.schema_changes == (
        "column ward_name added",
        "column note removed",
        "column crimes: integer became bigint",
        "primary key: (ward_code) became (ward_code, crimes)",
    )
    # By the new key, which is unique in the old rows.
    assert (mart.key, mart.added, mart.removed) == (("ward_code", "crimes"), 1, 2)


def test_a_column_that_is_no_longer_public_is_not_shown(publish, lake):
    publish({CRIMES: [("E1", 5, "a-person")]})
    publish({CRIMES: [("E2", 5)]}, {"ward_code": "text", "crimes": "integer"})

    found = compared(lake)

    assert found.marts[0].schema_changes == ("column note removed",)
    assert "a-person" not in job.markdown(found) + json.dumps(job.as_json(found))
    assert "(hidden)" in job.markdown(found)


def test_a_column_that_became_personal_since_then_is_not_shown(publish, lake, monkeypatch):
    publish({CRIMES: [("E1", 5, "a-person")]})
    publish({CRIMES: [("E1", 5, "another-person")]})
    crime = contracts()["police_street_crime"]
    note = crime.columns[0].model_copy(update={"name": "note", "personal": "keep"})
    changed = crime.model_copy(update={"columns": (*crime.columns, note)})
    monkeypatch.setattr(job, "contracts", lambda: {**contracts(), crime.name: changed})

    found = compared(lake)

    assert found.marts[0].changed == 1
    assert "person" not in job.markdown(found) + json.dumps(job.as_json(found))


def test_without_a_key_whole_rows_are_compared(publish, lake):
    publish({CRIMES: FIRST}, key=())
    publish({CRIMES: SECOND}, key=())

    found = compared(lake)

    assert (found.marts[0].key, found.marts[0].added, found.marts[0].removed) == ((), 2, 2)
    assert "by whole rows" in job.markdown(found)


def test_a_mart_that_was_published_once_is_new_and_one_that_left_is_removed(publish, lake):
    publish({CRIMES: FIRST})
    publish({WEATHER: SECOND})

    found = compared(lake)

    assert [(mart.name, mart.status) for mart in found.marts] == [
        (CRIMES, "removed"), (WEATHER, "new"),
    ]  # fmt: skip
    # What is public no more is counted, not shown.
    assert "E3" in job.markdown(found)
    assert all(column.before.least is None for column in found.marts[0].columns if column.before)


def test_nothing_to_compare_is_reported(publish, wandle):
    code, _, err = wandle("diff", "--published")
    assert code == 1
    assert "diff: nothing has been published yet. Run `wandle transform`" in err

    version = publish({CRIMES: FIRST})
    code, _, err = wandle("diff", "--published")
    assert code == 1
    assert f"diff: only one version is published, {version} of" in err


def test_a_mart_that_is_in_neither_version_is_named(publish, lake):
    first = publish({CRIMES: FIRST, WEATHER: FIRST})
    publish({CRIMES: SECOND})
    publish({CRIMES: FIRST})

    with pytest.raises(UnknownName, match=f"{WEATHER} is in neither .* with it is {first}"):
        compared(lake, WEATHER)
    with pytest.raises(UnknownName, match=f"spend has never been published. .*: {CRIMES}"):
        compared(lake, "spend")


def test_a_version_that_was_deleted_is_named(publish, store, lake):
    first, second = publish({CRIMES: FIRST}), publish({CRIMES: SECOND})
    third = publish({CRIMES: FIRST[:1]})
    store.write_index(without(store.index(), [second], withdrawn=True))

    (note,) = compared(lake).notes
    assert f"Version {second}, between the two, was deleted" in note
    with pytest.raises(NotPublished, match=f"version {second} was withdrawn") as raised:
        compared(lake, base=second)
    assert "--list" in str(raised.value)
    with pytest.raises(UnknownName, match="is the newest version itself"):
        compared(lake, base=third)
    store.write_index(without(store.index(), [first]))
    with pytest.raises(NotPublished, match=f"The one before, {second}, was deleted"):
        compared(lake)


def test_a_version_that_is_deleted_while_it_is_read_is_named(publish, store, lake, monkeypatch):
    first = publish({CRIMES: FIRST})
    publish({CRIMES: SECOND})
    save = Published.save

    def deleted(self: Published, *arguments: Any) -> None:
        store.delete(first)
        save(self, *arguments)

    monkeypatch.setattr(Published, "save", deleted)

    with pytest.raises(NotPublished, match=f"{first} was deleted while it was read. Run"):
        compared(lake)


def test_a_file_that_was_changed_in_the_bucket_is_refused(publish, lake, bucket):
    first = publish({CRIMES: FIRST})
    publish({CRIMES: SECOND})
    bucket.put(f"published/{first}/data/{CRIMES}/{CRIMES}.parquet", b"other")

    with pytest.raises(PermanentError, match=f"{first}/data/{CRIMES}/{CRIMES}.parquet .* SHA-256"):
        compared(lake)


def test_s3_that_fails_halfway_is_retryable_and_leaves_no_file(
    publish, store, lake, monkeypatch, tmp_path
):
    publish({CRIMES: FIRST})
    publish({CRIMES: SECOND})
    monkeypatch.setattr(job.tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    save = Published.save

    def gone(self: Published, version: str, path: str, place: Path) -> None:
        if place.name == "after.parquet":
            self = Published(unreachable(lake), lake.bucket)
        save(self, version, path, place)

    monkeypatch.setattr(Published, "save", gone)

    with pytest.raises(ServiceUnavailable, match="reading s3://"):
        compared(lake)
    assert list((tmp_path / "temporary").iterdir()) == []


def unreachable(lake: Lake) -> Any:
    config = lakes.S3_CONFIG.merge(lakes.Config(retries={"total_max_attempts": 1}))
    return lake.session.client("s3", endpoint_url="http://127.0.0.1:9", config=config)


def test_a_pinned_version_and_kept_files_are_mentioned(publish, store, lake):
    first, second = publish({CRIMES: FIRST}), publish({CRIMES: SECOND})
    store.write_index(used(store.index(), first))

    (note,) = compared(lake).notes

    assert f"Readers see version {first}, which is pinned" in note
    assert second in note


def test_options_that_do_not_go_together_are_refused(wandle):
    for arguments in (("--published", "--keep"), ("--published", "--drop-kept"), (CRIMES,)):
        code, _, err = wandle("diff", *arguments)

        assert code == 2
        assert "--published" in err


def test_values_in_a_report_are_neither_links_nor_html(publish, lake):
    publish({CRIMES: FIRST})
    publish({CRIMES: []})

    text = job.markdown(compared(lake))

    assert "`<b>\\|@somebody`" in text


def test_what_a_contract_guards_is_known_by_name(lake):
    assert public.guarded(["service_requests"], contracts())
    assert public.guarded(["police_street_crime"], contracts()) == set()
