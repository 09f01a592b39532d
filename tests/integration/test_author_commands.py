"""`new-source` and `new-council` against servers here: what they ask, write and refuse."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from include.councils.model import Council, councils
from include.definitions import read_definition, yaml_text
from include.errors import PipelineError, SourceRejected, SourceUnavailable
from include.jobs.author import new_council, new_source
from include.jobs.pipeline.extract import extract
from include.sources.model import Contract
from include.sources.partition import Partition, Period
from tests.integration.fixture_server import Asked, FixtureServer, Reply, serving_fixture
from tests.samples import contract, extracting

ROWS = [{"id": 1, "v": "a"}, {"id": 2, "v": "b"}]
KINGSTON = "E09000021"


@pytest.fixture
def places(tmp_path, monkeypatch, deployment) -> Path:
    """Contracts and models of a test are written below its own folder."""
    monkeypatch.setattr("include.transform.staging.STAGING", tmp_path / "staging")
    monkeypatch.setattr(new_source, "sync", list)
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda seconds: None)
    made = tmp_path / "sources"
    made.mkdir()
    return made


@pytest.fixture
def api() -> Iterator[tuple[FixtureServer, str]]:
    server = FixtureServer().on("^/", ROWS)
    with serving_fixture(server) as url:
        yield server, url


def drafted(places: Path, url: str, **how: Any) -> tuple[Contract, list[str]]:
    said = new_source.new_source(
        "things", **{"url": url, "file": None, "period": "day", "folder": places} | how
    ).remarks
    return read_definition(places / "things.yaml", Contract), said


def versioned(asked: Asked) -> Any:
    status = 200 if asked.headers.get("x-api-version") == "2" else 404
    return Reply(json.dumps(ROWS).encode(), status)


def test_a_header_that_the_api_wants_is_sent_and_is_the_contracts(places, api, monkeypatch, lake):
    server, url = api
    server.on("^/v1/things", versioned)
    monkeypatch.setenv("WANDLE_LIVE", "1")

    with pytest.raises(PipelineError, match=r"HTTP 404 .* wants a header.* pass it with --header"):
        drafted(places, f"{url}/v1/things?on=2026-07-03")

    options = new_source.Options(headers={"x-api-version": "2"})
    made, _ = drafted(places, f"{url}/v1/things?on=2026-07-03", options=options)
    assert extract(made, made.partition("uk", "2026-07-04"), lake=lake, run_id="run")


def test_a_header_with_a_secret_is_neither_sent_nor_written(places, api, monkeypatch):
    server, url = api
    monkeypatch.setenv("WANDLE_LIVE", "1")

    with pytest.raises(PipelineError, match="a secret is never written into a contract") as error:
        drafted(places, url, options=new_source.Options(headers={"X-Api-Key": "hush-hush"}))

    assert "hush-hush" not in str(error.value)
    assert server.asked == []


def test_an_api_with_a_login_is_drafted_from_a_file(places, api, monkeypatch):
    server, url = api
    server.on("^/v1/things", Reply(b"{}", 401))
    monkeypatch.setenv("WANDLE_LIVE", "1")

    with pytest.raises(PipelineError, match=r"asks for a login\. Save a response .* put `auth`"):
        drafted(places, f"{url}/v1/things")


def test_a_server_on_this_machine_is_requested_over_http_and_so_is_the_contract(
    places, api, monkeypatch, lake
):
    server, url = api
    monkeypatch.setenv("WANDLE_LIVE", "1")

    made, said = drafted(places, f"{url}/v1/things?on=2026-07-03")
    landing = extract(made, made.partition("uk", "2026-07-04"), lake=lake, run_id="run")

    assert made.extract.base_url == url
    assert any("of the real API" in remark for remark in said)
    assert [asked.values for asked in server.asked] == [{"on": "2026-07-03"}, {"on": "2026-07-04"}]
    manifest = lake.landings.manifest(made.partition("uk", "2026-07-04"), landing)
    assert manifest.totals.records == 2


def test_placeholders_are_requested_with_values_and_kept_in_the_contract(places, api):
    server, url = api

    made, said = drafted(
        places,
        url + "/{council.gss_code}/{period:%Y-%m-%d}?of={council.title}",
        asked="2026-07-03",
        council="kingston",
    )

    assert [(asked.path, asked.values["of"]) for asked in server.asked] == [
        (f"/{KINGSTON}/2026-07-03", councils()["kingston"].title)
    ]
    assert made.extract.request.path == "/{council.gss_code}/{period:%Y-%m-%d}"
    assert made.extract.request.query == {"of": "{council.title}"}
    assert (made.councils, str(made.start)) == ("each", "2026-07-03")
    assert any("--for-council and --for-period" in remark for remark in said)


def test_a_ward_and_a_month_are_requested_one_by_one(places, api):
    server, url = api

    made, _ = drafted(places, url + "/{ward.code}/{period:%Y-%m}", period="month", asked="2026-07")

    assert server.asked[0].path.startswith("/E05")
    assert (made.extract.for_each, made.period) == (("ward",), "month")


def test_a_host_that_the_sandbox_serves_is_requested_there(places, generated, monkeypatch):
    monkeypatch.setenv("WANDLE_SANDBOX_HOSTS", "www.gov.uk")

    made, said = drafted(places, "https://www.gov.uk/bank-holidays.json")

    assert made.extract.base_url == "https://www.gov.uk"
    assert any("of the sandbox" in remark for remark in said)


@pytest.mark.parametrize(
    ("reply", "error", "said"),
    [
        (Reply(status=404), PipelineError, r"HTTP 404 .* Correct the address"),
        (Reply(status=503), SourceUnavailable, r"HTTP 503 .* Try again later"),
        (Reply(status=204), SourceRejected, "HTTP 204"),
        (Reply(status=302, headers={"Location": "https://a.test/"}), SourceRejected, "redirects"),
        (Reply(b"<html></html>"), PipelineError, "expected data, found a web page"),
    ],
)
def test_what_is_not_a_response_is_one_sentence_and_nothing_is_written(
    places, api, reply, error, said
):
    server, url = api
    server.on("^/", reply)

    with pytest.raises(error, match=rf"^new-source: .*{said}") as caught:
        drafted(places, f"{url}/things?key=secret")

    assert "secret" not in str(caught.value)
    assert [*places.iterdir()] == []


ODD = [
    "", "x", "https://", "https://a..b/x", "https://a b/x", "https://" + "a" * 300 + "/x",
    "https://[::1/x", "https://*/x", "https://a.test:0x/y", "file:///etc/passwd", "https://xn--/",
    "https://\u0000/x", "http://127.0.0.1:1/x", "http://127.0.0.1:1/{period:%", "http://[::1]:1/x",
    "http://127.0.0.1:1/{council}", "http://127.0.0.1:1/{day}", "http://127.0.0.1:1/{0}",
    "http://127.0.0.1:1/{}", "http://127.0.0.1:1/{council.name!s}", "http://127.0.0.1:1/}{",
    "http://127.0.0.1:1/{period.last.day}", "http://127.0.0.1:1/{point.latitude:%Y}",
    "http://127.0.0.1:1/?a=1&a=2", "http://127.0.0.1:1/{council.gss_code:{period}}",
]  # fmt: skip


@pytest.mark.parametrize("url", ODD, ids=repr)
def test_an_odd_address_is_one_sentence(places, url):
    with pytest.raises(PipelineError):
        drafted(places, url)

    assert [*places.iterdir()] == []


@pytest.mark.parametrize(
    "changed",
    [
        *({"council": "croydon"}, {"asked": "May"}, {"asked": "9999-12-31"}),
        {"options": new_source.Options(records="a..b")},
        *({"file": Path("/nowhere")}, {"file": Path("/dev/null")}),
    ],
    ids=str,
)
def test_odd_options_are_one_sentence(places, api, changed):
    with pytest.raises(PipelineError):
        drafted(places, api[1] + "/{council.name}", **changed)

    assert [*places.iterdir()] == []


@pytest.fixture
def folder(tmp_path) -> Path:
    """The council files, in a folder of their own."""
    made = tmp_path / "councils"
    made.mkdir()
    for council in councils().values():
        content = council.model_dump(mode="json", by_alias=True, exclude_none=True)
        (made / f"{council.name}.yaml").write_text(yaml_text(content))
    return made


def council_of(folder: Path, box: str, **changed: Any) -> new_council.Written:
    given = {"title": "Merton", "gss_code": "E09000024", "force": "metropolitan"}
    return new_council.new_council("merton", box=box, folder=folder, **given | changed)


def test_the_documented_council_is_found_in_the_sandbox(folder, deployment, generated):
    written = council_of(folder, "51.38,-0.26,51.45,-0.12")

    made = read_definition(written.path, Council)
    assert len(made.ward_sets[0].wards) == 20
    assert (made.ward_sets[0].wards[0].code, written.wards[0]) == ("E05000455", "Abbey")
    assert written.others == {}


def test_a_box_of_other_councils_is_refused_with_their_wards(folder, deployment, generated):
    with pytest.raises(PipelineError, match=r"16 of Kingston upon Thames \(.*18 of Sutton \("):
        council_of(folder, "51.0,-1.0,52.2,1.0", wards=20)

    assert not (folder / "merton.yaml").exists()


def test_a_landing_is_requested_where_its_source_is_served(
    lake, deployment, api, monkeypatch, caplog
):
    server, url = api
    monkeypatch.setenv("WANDLE_SANDBOX_URL", url)
    monkeypatch.setenv("WANDLE_SANDBOX_HOSTS", "played.test")
    caplog.set_level("INFO")
    played = contract(extract=extracting(base_url="https://played.test"), councils="uk")
    real = contract(extract=extracting(base_url=f"{url}/real"), councils="uk")
    month = Period.parse("2017-05", "month")

    for made in (played, real):
        run_id = made.extract.base_url
        extract(made, Partition("gauges", "uk", month), lake=lake, run_id=run_id)

    assert [asked.path for asked in server.asked] == ["/played.test/gauges", "/real/gauges"]
    assert "requesting played.test, in the sandbox" in caplog.text
    assert "the real API" in caplog.text


def test_what_the_sandbox_refuses_is_not_taken_for_the_apis_answer(
    lake, deployment, api, monkeypatch
):
    server, url = api
    server.on("^/", Reply(status=404))
    monkeypatch.setenv("WANDLE_SANDBOX_URL", url)
    monkeypatch.setenv("WANDLE_SANDBOX_HOSTS", "played.test")
    made = contract(extract=extracting(base_url="https://played.test"), councils="uk")
    where = Partition("gauges", "uk", Period.parse("2017-05", "month"))

    with pytest.raises(
        SourceRejected, match=r"HTTP 404 .* answer of the sandbox, which simulates a"
    ):
        extract(made, where, lake=lake, run_id="run")
