"""A response given to `wandle new-source` is replayed for the source that was made of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from include.jobs.author import new_source as job
from tests.sandbox_client import Client, make

URL = "https://libraries.test/open/{council.gss_code}/loans/2026-07-03/2026-07-04"
MOUNTED = "/libraries.test/open"
ROWS = [{"id": 1, "v": "a"}, {"id": 2, "v": "b"}]


@pytest.fixture
def home(monkeypatch, tmp_path) -> Path:
    """A state folder with the sandbox's state."""
    for name in ("WANDLE_LIVE", "WANDLE_ENVIRONMENT", "WANDLE_SANDBOX_URL"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "sandbox.json").write_text('{"seed": 7, "as_of": "2026-11-21"}')
    monkeypatch.setenv("WANDLE_HOME", str(folder))
    monkeypatch.setattr("include.transform.staging.STAGING", tmp_path / "staging")
    monkeypatch.setattr(job, "sync", list)
    return folder


def drafted(folder: Path, answer: Any, url: str = URL) -> job.Drafted:
    file = folder / "answer"
    file.write_bytes(answer if isinstance(answer, bytes) else json.dumps(answer).encode())
    made = folder / "sources"
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir()
    return job.new_source("library_loans", url=url, file=file, period="day", folder=made)


@pytest.fixture
def client(home) -> Client:
    return make(state=home / "sandbox.json")


def test_it_is_replayed_for_every_council_and_period_byte_for_byte(home, client):
    body = b'\xef\xbb\xbf {"Loans" : [{"id": 1}, {"id": 2}]}'
    drafted(home, body)

    for place in ("E09000021/loans/2026-07-03/2026-07-04", "E09000029/loans/2026-11-02/2026-11-03"):
        answer = client.get(f"{MOUNTED}/{place}")
        assert (answer.status_code, answer.content) == (200, body)


@pytest.mark.parametrize(
    "path",
    [f"{MOUNTED}/E09000021/members/2026-07-03/2026-07-04", f"{MOUNTED}/", "/other.test/open"],
)
def test_any_other_address_is_not_served(home, client, path):
    drafted(home, ROWS)

    answer = client.get(path)

    assert answer.status_code == 404
    assert "The sandbox does not simulate" in answer.text


def test_parameters_are_part_of_the_address(home, client):
    drafted(home, ROWS, "https://libraries.test/x?kind=book&on=2026-07-03")

    assert client.get("/libraries.test/x?kind=book&on=2026-08-09").status_code == 200
    assert client.get("/libraries.test/x?kind=film&on=2026-08-09").status_code == 404
    assert client.get("/libraries.test/x?kind=book").status_code == 404


def test_the_page_after_the_last_one_is_empty(home, client):
    drafted(home, {"data": {"rows": ROWS}}, "https://libraries.test/x?offset=0&limit=2")

    first = client.get("/libraries.test/x?offset=0&limit=2").json()
    second = client.get("/libraries.test/x?offset=2&limit=2").json()

    assert (first, second) == ({"data": {"rows": ROWS}}, {"data": {"rows": []}})


@pytest.mark.parametrize(
    "answer",
    [{"total": 9, "rows": ROWS}, {"has_more": True, "rows": ROWS}, {"next": "/x", "rows": ROWS}],
)
def test_one_page_of_several_is_not_kept(home, client, answer):
    said = drafted(home, answer, "https://libraries.test/x").remarks

    assert client.get("/libraries.test/x").status_code == 404
    assert any("requested at libraries.test" in remark for remark in said)


def test_the_file_is_named_with_what_to_do_to_request_the_api(home):
    made = drafted(home, ROWS)

    assert home / "samples" / "library_loans@libraries.test.json" in made.files
    assert any("the sandbox replays the response" in remark for remark in made.remarks)


def test_a_platform_on_the_live_apis_keeps_none(home, monkeypatch):
    monkeypatch.setenv("WANDLE_LIVE", "1")

    drafted(home, ROWS)

    assert not (home / "samples").exists()


def test_the_sandbox_serves_its_own_apis_as_before(home, client):
    drafted(home, ROWS)

    assert client.get("/www.gov.uk/bank-holidays.json").status_code == 200
    assert client.get("/www.gov.uk/other.json").status_code == 404
