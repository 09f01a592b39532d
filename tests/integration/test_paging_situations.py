"""What paging APIs were seen to do, each as one small API: fetched whole, or a clear failure."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from types import SimpleNamespace
from typing import Any

import pytest

from include.errors import PermanentError, PipelineError, SourceUnavailable, UnexpectedPayload
from include.extract import client as asking
from include.jobs.pipeline.extract import extract
from include.landing.manifest import Manifest
from include.landing.read import read_pages
from include.landing.store import GIVEN_UP
from include.records.read import read_records
from include.sources.extract.http import Rate
from include.sources.model import Contract
from tests.integration.fixture_server import Asked, FixtureServer, Reply, serving_fixture
from tests.samples import column, contract, extracting

HOST = "api.test"
DAY = "2026-07-03"
OFFSET = {"kind": "offset", "parameter": "offset", "size_parameter": "limit"}

Fetch = Callable[..., list[Any]]


@pytest.fixture
def api(deployment, monkeypatch) -> Iterator[FixtureServer]:
    server = FixtureServer()
    with serving_fixture(server) as url:
        monkeypatch.setenv("WANDLE_SANDBOX_URL", url)
        yield server


@pytest.fixture(autouse=True)
def pauses(monkeypatch) -> list[float]:
    """The seconds that clients would have slept."""
    slept: list[float] = []
    monkeypatch.setattr("tenacity.nap.time", SimpleNamespace(sleep=slept.append))
    unlimited = asking.limiter("unlimited", Rate(per_second=1000, burst=1_000_000), None)
    monkeypatch.setattr(asking, "limiter", lambda host, rate, shared_in: unlimited)
    return slept


def source(paging: dict[str, Any] | None = None, key: str = "id", **extract: Any) -> Contract:
    paged = {"paging": paging} if paging else {}
    return contract(
        column(key, required=True),
        name="things",
        councils="uk",
        period="day",
        start="2026-07-01",
        extract=extracting(
            **{"base_url": f"https://{HOST}", "attempts": 2, "request": {"path": "/things"}}
            | paged
            | extract
        ),
        format={"records": "items"},
        key=[key],
    )


@pytest.fixture
def fetch(lake, api) -> Fetch:
    """Lands a partition and gives its records."""

    def run(described: Contract, day: str = DAY) -> list[Any]:
        manifest = landed(lake, described, day)
        where = described.partition("uk", day)
        return [
            record
            for page, body in read_pages(lake.landings, where, manifest)
            for chunk in read_records(body, page.bytes, described.layout(), page.context)
            for record in chunk
        ]

    return run


def landed(lake: Any, described: Contract, day: str = DAY) -> Manifest:
    landing_id = extract(described, described.partition("uk", day), lake=lake, run_id="run")
    where = described.partition("uk", day)
    found: Manifest = lake.landings.manifest(where, landing_id)
    return found


def rows(*ids: Any) -> list[dict[str, Any]]:
    return [{"id": str(name)} for name in ids]


def sliced(asked: Asked, found: list[Any], most: int = 99) -> list[Any]:
    start, size = int(asked.values["offset"]), int(asked.values["limit"])
    return found[start : start + min(size, most)]


def reply(**body: Any) -> Reply:
    return Reply(json.dumps(body).encode())


@pytest.mark.parametrize("counted", [False, True])
def test_a_link_in_a_field_with_a_dot_in_its_name(api, fetch, counted):
    def answer(asked: Asked) -> Reply:
        skip = int(asked.values.get("$skip", 0))
        body: dict[str, Any] = {"items": rows(*range(1, 8))[skip : skip + 3]}
        body |= {"@odata.count": 7} if counted else {}
        if skip < 6:
            body["@odata.nextLink"] = f"https://{HOST}/things?$skip={skip + 3}"
        return Reply(json.dumps(body).encode())

    api.on("/things$", answer)
    paging = {"kind": "link", "next": r"@odata\.nextLink"}

    paging |= {"total": r"@odata\.count"} if counted else {}
    assert fetch(source(paging)) == rows(*range(1, 8))

    with pytest.raises(UnexpectedPayload, match=r"'@odata\.nextLink', found a field whose name"):
        fetch(source({"kind": "link", "next": "@odata.nextLink"}))


@pytest.mark.parametrize("more", ["", "exceededTransferLimit"])
def test_a_server_that_gives_fewer_records_than_requested(api, fetch, more):
    found = rows(*range(1, 9))

    def answer(asked: Asked) -> Reply:
        page = sliced(asked, found, 3)
        exceeded = int(asked.values["offset"]) + 3 < len(found)
        return reply(items=page, **({"exceededTransferLimit": True} if exceeded else {}))

    api.on("/things$", answer)

    assert fetch(source(OFFSET | {"size": 2000, "more": more})) == found


def test_an_unstable_order_under_the_same_total(api, fetch, bucket):
    found = rows(1, 2, 3, 3, 5, 6, 7)
    api.on("/things$", lambda asked: reply(count=7, items=sliced(asked, found)))

    with pytest.raises(SourceUnavailable, match=r"expected 7 records .* found 6 different ones"):
        fetch(source(OFFSET | {"size": 3, "total": "count"}))

    assert bucket.listed() == []


def test_a_total_that_shrinks_while_paging(api, fetch):
    found = rows(1, 2, 3, 4, 5, 6, 7)

    def answer(asked: Asked) -> Reply:
        if asked.values["offset"] != "0" and len(found) == 7:
            del found[0]
        return reply(count=len(found), items=sliced(asked, found))

    api.on("/things$", answer)

    assert fetch(source(OFFSET | {"size": 3, "total": "count"})) == rows(2, 3, 4, 5, 6, 7)


def test_a_cursor_on_the_last_page(api, fetch):
    found = rows(1, 2, 3, 4, 5)

    def answer(asked: Asked) -> Reply:
        start = int(asked.values.get("cursor", "c-0").removeprefix("c-"))
        page = found[start : start + 3]
        end = start + len(page)
        return reply(items=page, cursor=f"c-{end}", has_more=end < len(found))

    api.on("/things$", answer)
    paging = {"kind": "cursor", "next": "cursor", "parameter": "cursor"}

    assert fetch(source(paging | {"more": "has_more"})) == found
    # Without the flag: an empty page that names itself as the next one.
    assert fetch(source(paging)) == found


def test_paging_that_is_ignored_in_a_body_that_always_differs(api, fetch):
    api.on("/things$", lambda asked: reply(made_at=time.time_ns(), items=rows(1, 2, 3, 4, 5)))

    with pytest.raises(UnexpectedPayload, match="paging loops"):
        fetch(source(OFFSET | {"size": 5}))

    assert len(api.asked) <= 20


def test_statuses_for_nothing_for_later_and_for_the_whole(api, fetch, lake, pauses):
    api.on("/things$", Reply(status=204))
    manifest = landed(lake, source(answers={"empty": [204]}))
    assert (manifest.outcome, manifest.pages, manifest.answered) == ("complete", (), None)
    assert [(said.label, said.status) for said in manifest.empty] == [(DAY, 204)]

    preparing = Reply(b'{"status": "preparing"}', 202, {"Retry-After": "1"})
    api.on("/things$", preparing, {"items": rows(1)})
    assert fetch(source(), "2026-07-05") == rows(1)
    assert pauses == [1.0]

    whole = Reply(json.dumps({"items": rows(1, 2)}).encode(), 206, {"Content-Range": "0-1/2"})
    api.on("/things$", whole)
    assert fetch(source(), "2026-07-06") == rows(1, 2)


def test_no_content_may_mean_not_published_yet(api, lake):
    today = datetime.now(UTC).date().isoformat()
    api.on("/things$", Reply(status=204))

    manifest = landed(lake, source(answers={"not_published": [204]}), today)

    assert (manifest.outcome, manifest.answered.status) == ("not_published", 204)


def test_no_content_without_a_meaning_is_an_error_that_names_the_options_for_it(api, fetch):
    api.on("/things$", Reply(status=204))

    with pytest.raises(PermanentError, match=r"HTTP 204 .*: no content.*`answers\.empty`"):
        fetch(source())


def test_a_page_for_those_who_are_not_logged_in(api, fetch, bucket):
    api.on("/things$", Reply(status=302, headers={"Location": f"/{HOST}/sign-in?next=/things"}))
    api.on("/sign-in$", Reply(b"<!doctype html><form>Sign in</form>", media_type="text/html"))

    with pytest.raises(PipelineError, match=rf"/sign-in \(redirected from .*{HOST}/things\)"):
        fetch(source())

    assert bucket.listed() == []


def test_a_retry_after_that_is_a_date(api, fetch, pauses):
    later = format_datetime(datetime.fromtimestamp(time.time() + 4, UTC), usegmt=True)
    api.on("/things$", Reply(status=429, headers={"Retry-After": later}), {"items": rows(1, 2)})

    assert fetch(source()) == rows(1, 2)
    assert len(api.asked) == 2
    assert 2 <= pauses[0] <= 4


def test_the_manifest_names_where_a_request_was_redirected_to_without_queries(api, lake):
    api.on("/things$", Reply(status=302, headers={"Location": "/moved?token=secret"}))
    api.on("/moved$", {"items": rows(1)})

    (page,) = landed(lake, source()).pages

    (address,) = page.redirects
    assert address.endswith(f"/{HOST}/moved")
    assert "secret" not in page.model_dump_json()


def test_a_bad_link_lands_nothing_and_the_same_run_fetches_from_the_start(api, fetch, bucket):
    api.on("/things$", reply(items=rows(1), next="https://elsewhere.test/things?page=2"))
    described = source({"kind": "link", "next": "next"})
    with pytest.raises(UnexpectedPayload, match=r"found elsewhere\.test"):
        fetch(described)
    assert bucket.listed() == []

    api.on("/things$", reply(items=rows(1)))

    assert fetch(described) == rows(1)


def test_what_led_to_a_permanent_failure_is_not_resumed(api, fetch, bucket):
    described = source(
        window_minutes=12 * 60, request={"path": "/things/{window.start:%H}"}, attempts=1
    )
    api.on("/things/00$", {"items": rows("outdated")})
    api.on("/things/12$", Reply(status=400))
    with pytest.raises(PermanentError):
        fetch(described)
    assert [key.rpartition("/")[2] for key in bucket.listed()] == ["0001.json.gz", GIVEN_UP]

    api.on("/things/00$", {"items": rows(1)})
    api.on("/things/12$", {"items": rows(2)})

    assert fetch(described) == rows(1, 2)


def test_what_a_retryable_failure_left_is_resumed(api, fetch):
    described = source(
        window_minutes=12 * 60, request={"path": "/things/{window.start:%H}"}, attempts=1
    )
    api.on("/things/00$", {"items": rows(1)})
    api.on("/things/12$", Reply(status=503), {"items": rows(2)})
    with pytest.raises(SourceUnavailable):
        fetch(described)

    assert fetch(described) == rows(1, 2)
    assert [asked.path.rpartition("/")[2] for asked in api.asked] == ["00", "12", "12"]


def interrupted(api: FixtureServer, fetch: Fetch, described: Contract, after: int) -> None:
    """A fetch whose API fails after so many answers, and then works again."""
    answers = api._answers[0][1]
    working = answers[0]
    answers[:] = [working] * after + [Reply(status=503)]
    with pytest.raises(SourceUnavailable, match="HTTP 503"):
        fetch(described)
    answers[:] = [working]
    api.asked.clear()


def test_a_fetch_that_was_interrupted_while_paging_resumes_at_the_first_missing_page(
    api, fetch, bucket
):
    found = rows(*range(1, 8))
    api.on("/things$", lambda asked: reply(items=sliced(asked, found)))
    described = source(OFFSET | {"size": 2})
    interrupted(api, fetch, described, 3)
    assert [key[-12:] for key in bucket.listed()] == [f"000{n}.json.gz" for n in (1, 2, 3)]

    assert fetch(described) == found

    assert [asked.values["offset"] for asked in api.asked] == ["6", "7"]


def test_a_page_that_comes_again_after_the_interruption_is_a_loop(api, fetch):
    described = source(OFFSET | {"size": 2})
    api.on("/things$", lambda asked: reply(items=sliced(asked, rows(1, 2, 3, 4, 5))))
    interrupted(api, fetch, described, 2)
    api.on("/things$", lambda asked: reply(made_at=time.time_ns(), items=rows(1, 2)))

    with pytest.raises(UnexpectedPayload, match="paging loops"):
        fetch(described)

    api.on("/things$", lambda asked: reply(items=sliced(asked, rows(6, 7, 8))))
    assert fetch(described) == rows(6, 7, 8)


def test_a_cursor_that_expired_in_between_restarts_at_the_first_page(api, fetch):
    found, prefix = rows(1, 2, 3, 4, 5), ["old"]

    def answer(asked: Asked) -> Reply:
        name, _, start = asked.values.get("after", f"{prefix[0]}-0").partition("-")
        if name != prefix[0]:
            return Reply(b'{"error": "cursor expired"}', 400)
        end = int(start) + 2
        return reply(
            items=found[int(start) : end], next=f"{name}-{end}" if end < len(found) else None
        )

    api.on("/things$", answer)
    described = source({"kind": "cursor", "next": "next", "parameter": "after"})
    interrupted(api, fetch, described, 2)
    prefix[0] = "new"

    assert fetch(described) == found


class Killed(BaseException):
    """The process dies here."""


def test_a_process_that_dies_at_any_write_leaves_no_mixture_of_passes(
    api, fetch, lake, monkeypatch
):
    writes, dies_at, deaths = [0], [0], 0

    def dying(write: Callable[..., Any]) -> Callable[..., None]:
        def written(*args: Any, **more: Any) -> None:
            write(*args, **more)
            writes[0] += 1
            if writes[0] == dies_at[0]:
                raise Killed

        return written

    def moving(asked: Asked) -> Reply:
        if asked.values["offset"] == "4" and found[0] != {"id": "0"}:
            found.insert(0, {"id": "0"})
        return reply(items=sliced(asked, found))

    for name in ("put_object", "upload_fileobj"):
        monkeypatch.setattr(lake.s3, name, dying(getattr(lake.s3, name)))
    api.on("/things$", moving)
    described = source(OFFSET | {"size": 2})

    for number in range(1, 20):
        found, writes[0], dies_at[0] = rows(1, 2, 3, 4, 5), 0, number
        day = f"2026-07-{number:02}"
        try:
            fetch(described, day)
        except Killed:
            deaths += 1
        dies_at[0] = 0
        assert fetch(described, day) == rows(0, 1, 2, 3, 4, 5), number

    # Three pages, three withdrawals, four pages, the manifest.
    assert deaths == 11


def test_a_thing_without_records_does_not_lose_those_that_are_there(api, fetch):
    described = source(
        window_minutes=8 * 60,
        request={"path": "/things/{window.start:%H}"},
        attempts=1,
        answers={"empty": [204]},
    )
    api.on("/things/00$", {"items": rows(1)})
    api.on("/things/08$", Reply(status=204))
    api.on("/things/16$", Reply(status=503), {"items": rows(2)})
    with pytest.raises(SourceUnavailable):
        fetch(described)

    assert fetch(described) == rows(1, 2)
    assert [asked.path[-2:] for asked in api.asked] == ["00", "08", "16", "08", "16"]
