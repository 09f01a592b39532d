"""What a running server answers over HTTP: rows, files, caching, encodings, problems."""

from __future__ import annotations

import gzip
import io
import json
import socket
import time
from urllib.parse import urlsplit

import brotli
import orjson
import polars as pl
import pyarrow.parquet as parquet
import pytest

from tests.api_server import wait_until
from tests.api_tables import SHAPE

ROWS = "/v1/datasets/things/rows"


def test_all_pages_together_are_the_rows_of_the_parquet_file(client, things):
    found, address = [], f"{ROWS}?limit=700&select=council,day,small,level"
    while address:
        answer = client.get(address)
        page = answer.json()
        found += page["rows"]
        address = page["next"]
        assert answer.links.get("next", {}).get("url") == address
    file = client.get("/v1/datasets/things.parquet").content

    table = parquet.read_table(io.BytesIO(file), columns=["council", "day", "small", "level"])
    wanted = json.loads(pl.DataFrame(pl.from_arrow(table)).write_json())
    assert len(found) == len(things.rows) == 3000
    assert found == wanted


def test_the_descriptions_lead_to_everything(client, things):
    listed = client.get("/v1/datasets").json()["datasets"]
    about = client.get(next(one["href"] for one in listed if one["name"] == "things")).json()

    assert {one["name"] for one in listed} == {"things", "places", "ward_crime_monthly"}
    assert about["rows"] == 3000
    assert [one["name"] for one in about["columns"]] == list(things.types)
    assert about["licence"]
    assert about["version"] == client.get("/v1/versions").json()["current"]
    for address in about["links"].values():
        assert client.get(address).status_code == 200
    described = client.get("/v1/openapi.json").json()
    assert set(about["links"].values()) <= set(described["paths"])


@pytest.mark.parametrize("kind", ["csv", "json", "parquet", "geojson"])
def test_a_file_is_the_published_one_and_can_be_read_in_parts(client, store, kind):
    version = client.get("/v1/versions").json()["current"]
    published = store.published.read(version, f"data/places/places.{kind}")
    address = f"/v1/datasets/places.{kind}"

    whole = client.get(address)
    middle = client.get(address, headers={"range": "bytes=3-9"})
    end = client.get(address, headers={"range": "bytes=-4", "if-range": whole.headers["etag"]})

    assert whole.content == published
    assert (middle.status_code, middle.content) == (206, published[3:10])
    assert middle.headers["content-range"] == f"bytes 3-9/{len(published)}"
    assert (end.status_code, end.content) == (206, published[-4:])
    assert client.get(address, headers={"range": "bytes=999999-"}).status_code == 416


def test_json_columns_are_json(client):
    rows = client.get("/v1/datasets/places/rows").json()["rows"]

    assert rows == [
        {"place": "a", "geometry": orjson.loads(SHAPE)},
        {"place": "b", "geometry": None},
    ]


@pytest.mark.parametrize(
    "address",
    ["/v1/datasets", "/v1/openapi.json", f"{ROWS}?limit=50", "/v1/datasets/things.csv",
     "/v1/datasets/things/aggregate?group=council,note&measure=count,sum.price", "/v1/"],
)  # fmt: skip
def test_a_client_that_has_the_content_gets_a_304(client, address):
    for encoding in ("", "gzip", "br"):
        first = client.get(address, headers={"accept-encoding": encoding})
        tag = first.headers["etag"]
        again = client.get(address, headers={"accept-encoding": encoding, "if-none-match": tag})

        assert first.status_code == 200
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        assert "stale-while-revalidate" in first.headers["cache-control"]
        other = client.get(address, headers={"if-none-match": '"other"'})
        assert (other.status_code, len(other.content)) == (200, len(first.content))


def test_a_304_needs_no_answer_to_be_computed_before(client):
    fresh = f"{ROWS}?limit=31&small=gte.7"
    tag = client.get(fresh).headers["etag"]
    many = [client.get(f"{ROWS}?limit=1000&small=neq.{n}") for n in range(120)]

    assert all(one.status_code == 200 for one in many)
    assert client.get(fresh, headers={"if-none-match": tag}).status_code == 304


@pytest.mark.parametrize("address", [f"{ROWS}?limit=100", "/v1/datasets/things", "/v1/"])
def test_answers_are_compressed_as_the_client_accepts(server, client, address):
    plain = client.get(address).content
    assert len(plain) > 600

    # Without the client, which would decode them.
    for encoding, decoded in (("gzip", gzip.decompress), ("br", brotli.decompress)):
        headers, body = raw(server.url, address, f"Accept-Encoding: {encoding}")
        assert f"content-encoding: {encoding}" in headers
        assert len(body) < len(plain)
        assert decoded(body) == plain


def raw(url: str, address: str, *headers: str, method: str = "GET") -> tuple[str, bytes]:
    """Headers and body of an answer, as they are sent."""
    place = urlsplit(url)
    lines = [f"{method} {address} HTTP/1.1", "Host: x", "Connection: close", *headers, "", ""]
    with socket.create_connection((place.hostname, place.port), timeout=60) as connection:
        connection.sendall("\r\n".join(lines).encode("latin-1"))
        parts = []
        while part := connection.recv(65536):
            parts.append(part)
    head, _, body = b"".join(parts).partition(b"\r\n\r\n")
    return head.decode("latin-1").lower(), body


@pytest.mark.parametrize(
    "address", ["/v1/datasets", f"{ROWS}?limit=3", "/v1/datasets/things.parquet", "/nowhere"]
)
def test_head_has_the_headers_of_get_and_no_body(server, address):
    of_get, body = raw(server.url, address)
    of_head, nothing = raw(server.url, address, method="HEAD")

    assert nothing == b""
    assert len(body) > 0
    skipped = ("date:", "x-request-id:")
    kept = [
        sorted(line for line in head.splitlines() if not line.startswith(skipped))
        for head in (of_get, of_head)
    ]
    assert kept[0] == kept[1]


def test_other_hosts_may_read_and_nobody_may_write(client):
    options = client.options(ROWS, headers={"origin": "https://example.org"})
    written = client.post(ROWS, json={})

    assert (options.status_code, options.content) == (204, b"")
    assert options.headers["access-control-allow-origin"] == "*"
    assert options.headers["access-control-allow-methods"] == "GET, HEAD, OPTIONS"
    assert client.get(ROWS).headers["access-control-allow-origin"] == "*"
    assert (written.status_code, written.headers["allow"]) == (405, "GET, HEAD, OPTIONS")


@pytest.mark.parametrize(
    ("address", "status", "said"),
    [
        (f"{ROWS}?coucil=sutton", 400, "Unknown parameter 'coucil'"),
        (f"{ROWS}?council=like.s", 400, "Unknown operator 'like'"),
        (f"{ROWS}?day=soon", 400, "'soon' is not a value"),
        ("/v1/datasets?limit=1", 400, "Unknown parameter 'limit'"),
        ("/v1/datasets/things.csv?council=x", 400, "Unknown parameter 'council'"),
        ("/v1/datasets/thing/rows", 404, "Unknown dataset 'thing'. Known: "),
        ("/v1/datasets/things.xlsx", 404, "Unknown dataset"),
        ("/v1/datasets/things.geojson", 404, "no geojson file, only csv, parquet, json"),
        ("/v1/datasets/things/rows/x", 404, "There is nothing at"),
        ("/v2/datasets", 404, "There is nothing at"),
        (f"{ROWS}?note={'x' * 5000}", 414, "at most 4096"),
    ],
)
def test_a_wrong_request_is_answered_with_a_problem_that_names_it(client, address, status, said):
    answer = client.get(address)

    assert (answer.status_code, answer.json()["status"]) == (status, status)
    assert answer.headers["content-type"] == "application/problem+json"
    assert said in answer.json()["detail"]
    assert answer.headers["cache-control"] == "no-store"


def test_the_page_takes_nothing_from_other_hosts(client):
    page = client.get("/v1/")

    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert "://" not in page.text
    for address in ("/v1/try.css", "/v1/try.js"):
        assert client.get(address).status_code == 200
    assert client.get("/").headers["location"] == "/v1/"


def test_each_request_is_a_line_of_json_without_the_client_or_its_values(client, server):
    secret = "a-value-that-is-nobodys-business"
    client.get(f"{ROWS}?note=eq.{secret}", headers={"x-request-id": "my-request.1"})

    wait_until(lambda: b"my-request.1" in server.log.read_bytes(), "no line was written")
    lines = [orjson.loads(line) for line in server.log.read_bytes().splitlines()]
    (line,) = [one for one in lines if one["request"] == "my-request.1"]
    assert (line["route"], line["status"]) == ("/v1/datasets/{name}/rows", 200)
    assert line["microseconds"] > 0
    assert "client" not in line
    assert secret.encode() not in server.log.read_bytes() + server.errors.read_bytes()


def test_metrics_count_requests_by_route_and_status(client):
    before = counted(client.get("/metrics").text)
    for _ in range(5):
        client.get(f"{ROWS}?limit=2")
    client.get(f"{ROWS}?wrong=2")

    label = 'wandle_api_requests_total{route="/v1/datasets/{name}/rows",status="%d"}'

    def both() -> bool:
        now = counted(client.get("/metrics").text)
        return all(
            now.get(label % status, 0) - before.get(label % status, 0) == count
            for status, count in ((200, 5), (400, 1))
        )

    wait_until(both, "the requests were not counted", 30)
    now = counted(client.get("/metrics").text)
    assert now["wandle_api_ready"] == 1
    assert now["wandle_api_index_age_seconds"] < 60
    total = sum(n for name, n in now.items() if name.startswith("wandle_api_seconds_count"))
    assert total == sum(n for name, n in now.items() if name.startswith("wandle_api_requests"))


def counted(text: str) -> dict[str, float]:
    lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


def test_headers_that_never_end_are_refused_and_the_server_stays_up(client, server):
    place = urlsplit(server.url)
    with socket.create_connection((place.hostname, place.port), timeout=60) as connection:
        connection.sendall(b"GET /v1/datasets HTTP/1.1\r\nHost: x\r\n")
        end = time.monotonic() + 30
        try:
            while time.monotonic() < end:
                connection.sendall(b"X-A: " + b"a" * 4000 + b"\r\n")
        except OSError:
            pass
        else:
            raise AssertionError("the server took headers for 30 s")

    assert client.get("/v1/datasets").status_code == 200


def test_many_idle_and_slow_clients_do_not_delay_others(client, server):
    place = urlsplit(server.url)
    idle = []
    try:
        for number in range(1500):
            connection = socket.create_connection((place.hostname, place.port), timeout=60)
            idle.append(connection)
            if number % 2:
                connection.sendall(b"GET /v1/datasets HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        for number in range(20):
            assert client.get(f"{ROWS}?limit=10&small=neq.{number}").status_code == 200
        # Those that send nothing more are closed.
        idle[1].settimeout(90)
        assert b"200 OK" not in idle[1].recv(4096)
    finally:
        for connection in idle:
            connection.close()
    assert client.get("/v1/datasets").status_code == 200


def test_a_client_that_reads_nothing_does_not_delay_others(client, server):
    place = urlsplit(server.url)
    stuck = []
    try:
        for _ in range(30):
            connection = socket.create_connection((place.hostname, place.port), timeout=60)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            asked = f"GET {ROWS}?limit=1000 HTTP/1.1\r\nHost: x\r\n\r\n".encode()
            connection.sendall(asked * 20)
            stuck.append(connection)
        for number in range(20):
            assert client.get(f"{ROWS}?limit=10&number=neq.{number}").status_code == 200
    finally:
        for connection in stuck:
            connection.close()
