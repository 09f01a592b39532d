"""Files as a source: the inbox of a bucket, from a contract to rows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from include.errors import LoadRefused, SourceRejected, UnexpectedPayload
from include.jobs.files.classify import SourceFiles, classify_files, unmatched_message
from include.jobs.pipeline.extract import extract
from include.jobs.pipeline.load import load
from include.sources.model import Contract
from tests.samples import column, contract

PATTERN = r"spend_{council.name}_{period:%Y-%m}(?:_p(?P<part>\d+))?(?:_v(?P<version>\d+))?\.csv"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def described(pattern: str = PATTERN, **changes: Any) -> Contract:
    files = {"kind": "files", "from": "inbox", "pattern": pattern} | changes.pop("extract", {})
    fields = {"key": ["id"], "format": {"kind": "csv"}} | changes
    columns = fields.pop("columns", [column("id", "integer", required=True), column("note")])
    return contract(*columns, extract=files, **fields)


def body(*ids: int, note: str = "a") -> bytes:
    return "".join(["id,note\n", *(f"{number},{note}\n" for number in ids)]).encode()


def seen(asked: Contract, lake: Any) -> SourceFiles:
    return classify_files(asked, lake=lake, today=NOW)


def states(asked: Contract, lake: Any) -> dict[str, str]:
    return {one.match.file.name: one.state for one in seen(asked, lake).files}


def planned(asked: Contract, lake: Any) -> list[str]:
    return [f"{one.council} {one.period}" for one in seen(asked, lake).partitions]


def landed(asked: Contract, lake: Any, period: str = "2026-05", council: str = "kingston") -> Any:
    where = asked.partition(council, period)
    return lake.landings.manifest(where, extract(asked, where, lake=lake, run_id=str(NOW)))


def ids(warehouse: Any, period: str = "2026-05-01") -> list[int]:
    rows = warehouse.query(f"select id from raw.gauges where _period = '{period}' order by id")
    return [row[0] for row in rows]


def test_a_file_in_the_inbox_is_planned_landed_and_loaded_and_then_is_nothing_new(
    bucket, lake, warehouse
):
    asked = described()
    bucket.put("inbox/gauges/spend_kingston_2026-05.csv", body(1, 2))

    assert planned(asked, lake) == ["kingston 2026-05"]
    manifest = landed(asked, lake)
    entry = load(
        asked, asked.partition("kingston", "2026-05"), lake=lake, dsn=warehouse.dsn(), run_id="r"
    )

    assert (entry["status"], entry["loaded"]) == ("loaded", 2)
    page = manifest.pages[0]
    assert page.request.url == "inbox/gauges/spend_kingston_2026-05.csv"
    assert (page.label, page.records, page.bytes) == ("file", 2, len(body(1, 2)))
    assert page.headers["etag"]
    assert planned(asked, lake) == []
    assert states(asked, lake) == {"spend_kingston_2026-05.csv": "landed"}


def test_a_file_that_was_not_changed_is_not_landed_again(bucket, lake):
    asked = described()
    bucket.put("inbox/gauges/spend_kingston_2026-05.csv", body(1, 2))
    first = landed(asked, lake)
    bucket.put("inbox/gauges/spend_kingston_2026-05.csv", body(1, 2))

    assert landed(asked, lake).landing_id == first.landing_id
    assert len([key for key in bucket.listed() if key.endswith("manifest.json")]) == 1


def test_a_file_that_was_changed_is_landed_and_replaces_the_rows(bucket, lake):
    asked = described()
    bucket.put("inbox/gauges/spend_kingston_2026-05.csv", body(1, 2))
    first = landed(asked, lake)
    bucket.put("inbox/gauges/spend_kingston_2026-05.csv", body(1, 2, 3))

    assert states(asked, lake) == {"spend_kingston_2026-05.csv": "changed"}
    assert planned(asked, lake) == ["kingston 2026-05"]
    second = landed(asked, lake)
    assert second.landing_id > first.landing_id
    assert second.totals.records == 3


def test_a_corrected_file_replaces_the_first_one(bucket, lake):
    asked = described()
    bucket.put("inbox/gauges/spend_kingston_2026-05.csv", body(1, 2))
    landed(asked, lake)
    bucket.put("inbox/gauges/spend_kingston_2026-05_v2.csv", body(1))
    bucket.put("inbox/gauges/spend_kingston_2026-05_v10.csv", body(1, 4, 5))

    assert planned(asked, lake) == ["kingston 2026-05"]
    manifest = landed(asked, lake)
    assert [page.request.url for page in manifest.pages] == [
        "inbox/gauges/spend_kingston_2026-05_v10.csv"
    ]
    assert states(asked, lake) == {
        "spend_kingston_2026-05.csv": "superseded",
        "spend_kingston_2026-05_v2.csv": "superseded",
        "spend_kingston_2026-05_v10.csv": "landed",
    }


def test_parts_are_loaded_together_and_a_missing_one_is_refused(bucket, lake, warehouse):
    asked = described()
    where = asked.partition("kingston", "2026-05")
    loading = {"lake": lake, "dsn": warehouse.dsn(), "run_id": "r"}
    for part in (1, 2, 10):
        bucket.put(f"inbox/gauges/spend_kingston_2026-05_p{part}.csv", body(part, part + 100))

    manifest = landed(asked, lake)
    assert [page.label for page in manifest.pages] == ["1", "2", "10"]
    assert load(asked, where, **loading)["loaded"] == 6

    lake.s3.delete_object(Bucket=lake.bucket, Key="inbox/gauges/spend_kingston_2026-05_p2.csv")
    assert planned(asked, lake) == ["kingston 2026-05"]
    landed(asked, lake)
    with pytest.raises(LoadRefused, match="2 had 2, is missing"):
        load(asked, where, **loading)
    assert ids(warehouse) == [1, 2, 10, 101, 102, 110]


def test_a_file_that_was_deleted_takes_no_rows_with_it(bucket, lake):
    asked = described()
    bucket.put("inbox/gauges/spend_kingston_2026-05.csv", body(1, 2))
    landed(asked, lake)
    lake.s3.delete_object(Bucket=lake.bucket, Key="inbox/gauges/spend_kingston_2026-05.csv")

    assert planned(asked, lake) == []
    with pytest.raises(SourceRejected, match="inbox/gauges/ has no file of this period"):
        landed(asked, lake)


def test_a_file_that_matches_nothing_is_reported(bucket, lake):
    asked = described(extract={"ignore": r"README.*"})
    for place in ("atlantis_2026-05", "sutton_2026-13", "sutton_2027-01", "sutton_2026-04"):
        bucket.put(f"inbox/gauges/spend_{place}.csv", body(1))
    for name in ("README.txt", "Spend May.csv"):
        bucket.put(f"inbox/gauges/{name}", body(1))

    found = seen(asked, lake)

    assert planned(asked, lake) == ["sutton 2026-04"]
    assert {one.match.file.name: one.why for one in found.unmatched} == {
        "Spend May.csv": "its name does not match `extract.pattern`",
        "spend_atlantis_2026-05.csv": "its name does not match `extract.pattern`",
        "spend_sutton_2026-13.csv": "'2026-13' is not a date",
        "spend_sutton_2027-01.csv": "it is for 2027-01, which is in the future",
    }
    message = unmatched_message(asked, found.unmatched)
    assert message.startswith("gauges: no partition takes 4 files, not loaded: 'Spend")


def test_two_files_that_could_both_be_meant_are_refused(bucket, lake):
    asked = described(r"spend_{council.name}_{period:%Y-%m}.*\.csv")
    bucket.put("inbox/gauges/spend_kingston_2026-05.csv", body(1))
    bucket.put("inbox/gauges/spend_kingston_2026-05 final.csv", body(2))

    assert planned(asked, lake) == ["kingston 2026-05"]
    assert {*states(asked, lake).values()} == {"ambiguous"}
    with pytest.raises(UnexpectedPayload, match=r"expected one file, found 2: .*\(\?P<version>"):
        landed(asked, lake)


def test_an_upload_in_parts_that_is_not_complete_is_left_alone(bucket, lake):
    asked, key = described(), "inbox/gauges/spend_kingston_2026-05.csv"
    upload = lake.s3.create_multipart_upload(Bucket=lake.bucket, Key=key)["UploadId"]
    part = lake.s3.upload_part(
        Bucket=lake.bucket, Key=key, UploadId=upload, PartNumber=1, Body=body(1)
    )
    assert planned(asked, lake) == []

    lake.s3.complete_multipart_upload(
        Bucket=lake.bucket, Key=key, UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
    )  # fmt: skip
    assert planned(asked, lake) == ["kingston 2026-05"]


def test_daily_files_are_parts_of_their_month(bucket, lake):
    asked = described(r"{council.name}/{period:%Y}/{period:%m-%d}\.csv")
    for day in (1, 2, 30):
        bucket.put(f"inbox/gauges/kingston/2026/05-{day:02}.csv", body(day))

    assert planned(asked, lake) == ["kingston 2026-05"]
    assert [page.label for page in landed(asked, lake).pages] == [
        "2026-05-01",
        "2026-05-02",
        "2026-05-30",
    ]


DATED = {
    "columns": [
        column("id", "integer", required=True),
        column("paid", "date", required=True),
        column("council_name", path="Council"),
    ],
    "format": {"kind": "csv", "select": {"field": "paid", "period": "%Y-%m-%d"}},
}


def test_a_file_of_a_year_is_landed_for_each_of_its_months(bucket, lake, warehouse):
    asked = described(r"{council.name}_{period:%Y}\.csv", **DATED)
    bucket.put(
        "inbox/gauges/kingston_2026.csv",
        b"id,paid,Council\n1,2026-01-31,x\n2,2026-02-01,x\n3,2026-02-28,x\n4,30/02/2026,x\n",
    )

    assert planned(asked, lake) == [f"kingston 2026-{month:02}" for month in range(1, 12)]
    # One whose date is not a date is kept with every month, and quarantined.
    assert [landed(asked, lake, f"2026-{month:02}").totals.records for month in (1, 2, 3)] == [
        2,
        3,
        1,
    ]


def test_a_name_that_says_too_little_is_refused_with_the_contract(bucket):
    with pytest.raises(ValueError, match=r"names say the year.*add `format.select.period`"):
        described(r"{council.name}_{period:%Y}\.csv")
    with pytest.raises(ValueError, match=r"expected \{council.name\}"):
        described(r"spend_{period:%Y-%m}\.csv")
    with pytest.raises(ValueError, match=r"expected \{period\}"):
        described(r"{council.name}\.csv")


def test_the_time_at_which_a_file_was_modified_can_be_its_period(bucket, lake):
    asked = described(
        r"stock_{council.name}\.csv", extract={"period_from": "modified"}, period="day"
    )
    bucket.put("inbox/gauges/stock_kingston.csv", body(1))
    today = datetime.now(UTC)

    found = classify_files(asked, lake=lake, today=today)

    assert [str(one.period) for one in found.partitions] == [str(today.date())]


def test_records_of_several_councils_in_one_file_are_selected(bucket, lake):
    select = {"field": "Council", "among": "council.title"}
    columns = [column("id", "integer"), column("council_name", path="Council")]
    asked = described(
        r"all_{period:%Y-%m}\.csv",
        columns=columns,
        key=[],
        format={"kind": "csv", "select": select},
    )
    bucket.put(
        "inbox/gauges/all_2026-05.csv",
        b"id,Council\n1,Kingston upon Thames\n2,Sutton\n3,Merton\n4,Sutton\n",
    )

    assert sorted(planned(asked, lake)) == ["kingston 2026-05", "sutton 2026-05"]
    assert landed(asked, lake, council="sutton").totals.records == 2


def test_put_and_files_and_ingest_by_hand(wandle, bucket, tmp_path, monkeypatch):
    monkeypatch.setattr("include.cli.terminal.Selection.check", lambda selection: None)
    monkeypatch.setattr("include.cli.files.source_named", lambda name: described())
    monkeypatch.setattr("include.cli.pipeline.source_named", lambda name: described())
    file = tmp_path / "spend_sutton_2026-10.csv"
    file.write_bytes(body(1, 2, 3))
    (tmp_path / "Spend.csv").write_bytes(body(1))

    assert wandle("put", "gauges", str(file))[0] == 0
    code, _, told = wandle("put", "gauges", str(tmp_path / "Spend.csv"))
    assert code == 1
    assert "'Spend.csv' belongs to no partition" in told
    bucket.put("inbox/gauges/notes.txt", b"?")

    code, out, _ = wandle("files", "gauges")
    assert code == 0
    assert [line.split()[:2] for line in out.splitlines()[-2:]] == [
        ["notes.txt", "no"],
        ["spend_sutton_2026-10.csv", "new"],
    ]
    assert "sutton 2026-10" in out

    code, out, told = wandle("ingest", "gauges")
    assert (code, "loaded" in out) == (0, True)
    assert "gauges: no partition takes 1 file" in told
    assert wandle("files", "gauges")[1].count("landed") == 1
