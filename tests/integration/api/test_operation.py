"""The server in operation: new versions, S3 down, limits, keys, and its end."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from include.publish.versions import Index, used, with_version, without
from tests.api_server import object_store, served, wait_until, workers
from tests.api_tables import PLACES, every_type
from tests.published_version import publish, write_version

ROWS = "/v1/datasets/things/rows"


@pytest.fixture
def own_store(tmp_path):
    """An S3 of its own, which a test may stop."""
    with object_store(tmp_path / "s3") as found:
        yield found


def test_a_new_version_is_served_within_seconds_and_every_answer_is_of_one_version(
    own_store, tmp_path
):
    small, large = every_type(40), every_type(400)
    first = publish(own_store.published, {"things": small}, tmp_path / "one")
    with served(own_store, tmp_path / "home", "--rate", "0", "--no-log") as server:
        seen: Counter[tuple[int, int]] = Counter()
        stop = threading.Event()

        def ask() -> None:
            with httpx.Client(base_url=server.url, timeout=60) as client:
                while not stop.is_set():
                    answer = client.get(f"{ROWS}?limit=1000")
                    seen[answer.status_code, len(answer.json()["rows"])] += 1

        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        cursor = httpx.get(f"{server.url}{ROWS}?limit=5").json()["next"]
        second = publish(own_store.published, {"things": large, "places": PLACES}, tmp_path / "two")
        wait_until(lambda: current(server.url) == second, "the new version is not served", 60)
        wait_until(lambda: seen[200, 400] > 3, "nobody got the new rows", 60)
        stop.set()
        for thread in threads:
            thread.join()

        assert set(seen) == {(200, 40), (200, 400)}
        assert httpx.get(f"{server.url}{cursor}").status_code == 410
        assert httpx.get(f"{server.url}/v1/datasets/places").status_code == 200
        # Back to the older version, and then everything is withdrawn.
        own_store.published.write_index(used(own_store.published.index(), first))
        wait_until(lambda: current(server.url) == first, "the older version is not served", 60)
        own_store.published.write_index(
            without(own_store.published.index(), [first, second], withdrawn=True)
        )
        wait_until(
            lambda: httpx.get(f"{server.url}{ROWS}").status_code == 503,
            "what was withdrawn is still served",
            60,
        )
        assert not list((tmp_path / "home").glob("wandle-serve-*/files/kept.json"))


def current(url: str) -> str:
    """The version that is served."""
    return httpx.get(f"{url}/readyz").text.strip()


def test_without_s3_the_last_good_version_is_served_and_a_damaged_one_is_not(own_store, tmp_path):
    first = publish(own_store.published, {"things": every_type(40)}, tmp_path / "one")
    with served(own_store, tmp_path / "home", "--rate", "0") as server:
        own_store.stop()
        wait_until(lambda: b"Check that S3 is reachable" in server.errors.read_bytes(), "not said")
        for address in (f"{ROWS}?limit=3", "/v1/datasets/things.csv", "/readyz", "/v1/datasets"):
            assert httpx.get(server.url + address).status_code == 200

        own_store.start()
        damaged = write_version(own_store.published, {"things": every_type(60)}, tmp_path / "two")
        published = own_store.folder / "wandle/published" / damaged.version
        place = published / "data/things/things.parquet"
        place.write_bytes(place.read_bytes()[:-1] + b"x")
        own_store.published.write_index(with_version(own_store.published.index(), damaged))
        wait_until(
            lambda: b"is not the file that was published" in server.errors.read_bytes(),
            "the damage was not noticed",
        )
        assert current(server.url) == first
        assert len(httpx.get(f"{server.url}{ROWS}?limit=1000").json()["rows"]) == 40


def test_a_process_that_dies_while_s3_is_down_is_replaced_by_one_with_the_last_version(
    own_store, tmp_path
):
    version = publish(own_store.published, {"things": every_type(40)}, tmp_path / "one")
    with served(own_store, tmp_path / "home", "--rate", "0") as server:
        wait_until(lambda: workers(tmp_path / "home"), "no process has written its gauges")
        (before,) = workers(tmp_path / "home")
        own_store.stop()
        os.kill(before, signal.SIGKILL)
        wait_until(lambda: set(workers(tmp_path / "home")) - {before}, "it was not replaced", 60)
        wait_until(server.ready, "the version was not kept", 60)

        assert current(server.url) == version
        assert len(httpx.get(f"{server.url}{ROWS}?limit=1000").json()["rows"]) == 40
        assert httpx.get(f"{server.url}/v1/datasets/things.csv").status_code == 200


def test_before_the_first_version_it_is_up_but_not_ready(own_store, tmp_path):
    with served(own_store, tmp_path / "home", ready=False) as server:
        wait_until(lambda: _answers(server), "it does not answer")

        assert httpx.get(f"{server.url}/healthz").status_code == 200
        assert httpx.get(f"{server.url}/readyz").status_code == 503
        refused = httpx.get(f"{server.url}/v1/datasets")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
        own_store.published.write_index(Index())
        publish(own_store.published, {"places": PLACES}, tmp_path / "one")
        wait_until(server.ready, "the first version is not served")


def _answers(server) -> bool:
    try:
        return httpx.get(f"{server.url}/healthz").status_code == 200
    except httpx.TransportError:
        return False


def test_clients_have_limits_and_keys_have_their_own(store, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    keys = [
        {
            "name": "dashboard",
            "sha256": hashlib.sha256(b"its-key").hexdigest(),
            "per_second": 1000,
            "burst": 500,
        }
    ]
    (home / "connections.json").write_text(
        json.dumps({"api_keys": {"conn_type": "http", "password": json.dumps(keys)}})
    )
    (home / "connections.json").chmod(0o600)
    options = ("--keys", "--rate", "0.05", "--burst", "4", "--proxies", "1")
    with (
        served(store, home, *options) as server,
        httpx.Client(base_url=server.url, timeout=60) as client,
    ):
        mine = {"x-forwarded-for": "203.0.113.9, 198.51.100.1"}
        answers = [client.get(f"{ROWS}?limit=1", headers=mine) for _ in range(6)]
        other = client.get(ROWS, headers={"x-forwarded-for": "198.51.100.2"})
        by_key = [
            client.get(f"{ROWS}?limit=1", headers=mine | header)
            for header in ({"x-api-key": "its-key"}, {"authorization": "Bearer its-key"}) * 5
        ]
        wrong = client.get(ROWS, headers={"x-api-key": "another"})

        assert [one.status_code for one in answers] == [200] * 4 + [429] * 2
        assert [one.headers["ratelimit-remaining"] for one in answers[:4]] == list("3210")
        assert int(answers[5].headers["retry-after"]) >= 1
        assert answers[5].headers["content-type"] == "application/problem+json"
        assert other.status_code == 200
        assert {one.status_code for one in by_key} == {200}
        assert by_key[0].headers["ratelimit-limit"] == "500"
        assert wrong.status_code == 401
        for _ in range(10):
            assert client.get("/healthz", headers=mine).status_code == 200
        server.stop()
        said = server.log.read_bytes() + server.errors.read_bytes()
        assert b"its-key" not in said
        assert b"203.0.113" not in said
        assert b"198.51.100" not in said


def test_a_stop_loses_no_request_that_has_begun(store, tmp_path):
    with served(store, tmp_path / "home", "--rate", "0") as server:
        outcomes: Counter[str] = Counter()
        begun = threading.Event()

        def ask(number: int) -> None:
            try:
                answer = httpx.get(f"{server.url}{ROWS}?limit=1000&small=neq.{number}", timeout=60)
                assert len(answer.json()["rows"]) > 100
                outcomes["answered"] += 1
                if outcomes["answered"] > 20:
                    begun.set()
            except httpx.ConnectError:
                outcomes["refused"] += 1

        with ThreadPoolExecutor(8) as pool:
            asked = [pool.submit(ask, number) for number in range(400)]
            assert begun.wait(120)
            assert list((tmp_path / "home").glob("wandle-serve-*/files/*.parquet"))
            code = server.stop()
            for one in asked:
                one.result()

        assert code == 0
        assert outcomes["answered"] > 20
        assert outcomes["refused"] > 0
        assert sum(outcomes.values()) == 400
        lines = server.log.read_bytes().splitlines()
        assert sum(b'"/v1/datasets/{name}/rows"' in line for line in lines) == outcomes["answered"]
        assert not list((tmp_path / "home").glob("wandle-serve-*"))


def connects(host: str, port: int) -> bool:
    """Whether a new connection is made within a tenth of a second."""
    try:
        socket.create_connection((host, port), timeout=0.1).close()
    except OSError:
        return False
    return True


def test_a_client_that_connected_before_a_stop_is_answered(store, tmp_path):
    with served(store, tmp_path / "home", "--rate", "0", "--workers", "2") as server:
        host, port = httpx.URL(server.url).host, httpx.URL(server.url).port
        wait_until(lambda: len(workers(tmp_path / "home")) == 2, "not both have started")
        connected = [socket.create_connection((host, port), timeout=30) for _ in range(20)]
        with httpx.Client(base_url=server.url) as client:
            assert client.get("/healthz").headers.get("connection") != "close"

            server.process.send_signal(signal.SIGTERM)
            wait_until(lambda: "about to stop" in server.errors.read_text(), "it does not stop")
            wait_until(lambda: not connects(host, port), "it takes new connections")
            assert client.get("/readyz").status_code == 503
            for one in connected:
                one.sendall(b"GET /v1/datasets HTTP/1.1\r\nHost: test\r\n\r\n")
            for one in connected:
                with one, one.makefile("rb") as answer:
                    head, _, body = answer.read().partition(b"\r\n\r\n")
                    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
                    assert b"connection: close" in head.lower().splitlines()
                    assert json.loads(body)

        assert server.process.wait(timeout=60) == 0


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_all_its_processes_ends_it_as_one_to_the_first(store, tmp_path, sent):
    with served(store, tmp_path / "home", "--workers", "2") as server:
        wait_until(lambda: len(workers(tmp_path / "home")) == 2, "not both have started")
        for process in [server.process.pid, *workers(tmp_path / "home")]:
            os.kill(process, sent)

        assert server.process.wait(timeout=60) == 0
        assert "Unexpected exit" not in server.errors.read_text()


def test_a_stop_does_not_wait_for_processes_that_start(store, tmp_path):
    with served(store, tmp_path / "home", "--workers", "2", ready=False) as server:
        wait_until(lambda: "Spawning worker-2" in server.errors.read_text(), "it does not start")
        server.process.send_signal(signal.SIGTERM)

        assert server.process.wait(timeout=20) == 0
        assert "Killing" not in server.errors.read_text()


def test_a_client_that_keeps_its_connection_is_asked_to_close_it(store, tmp_path):
    with served(store, tmp_path / "home", "--rate", "0") as server:

        def ask() -> None:
            with httpx.Client(base_url=server.url, timeout=60) as connected:
                for _ in range(100_000):
                    answer = connected.get(f"{ROWS}?limit=1")
                    assert answer.status_code == 200
                    if answer.headers.get("connection") == "close":
                        return
            pytest.fail("never told to close")

        with ThreadPoolExecutor(4) as pool:
            asked = [pool.submit(ask) for _ in range(4)]
            wait_until(lambda: server.log.stat().st_size > 10_000, "nobody asks")
            assert server.stop() == 0
            for one in asked:
                one.result()


def test_two_processes_share_the_work_and_the_counts(store, tmp_path):
    with (
        served(store, tmp_path / "home", "--rate", "0", "--workers", "2") as server,
        httpx.Client(base_url=server.url, timeout=60) as client,
    ):
        for number in range(40):
            assert httpx.get(f"{server.url}{ROWS}?limit=1&small=neq.{number}").status_code == 200
        label = 'route="/v1/datasets/{name}/rows",status="200"'
        wait_until(
            lambda: f"{{{label}}} 40\n" in client.get("/metrics").text, "not all are counted", 30
        )


def test_files_that_a_system_cleans_up_are_fetched_again(store, tmp_path):
    with served(store, tmp_path / "home", "--rate", "0") as server:
        address = f"{server.url}/v1/datasets/things.csv"
        before = httpx.get(address).content
        found = list((tmp_path / "home").glob("wandle-serve-*/files/*"))
        assert len(found) > 5
        for place in found:
            place.unlink()

        assert httpx.get(address).status_code in (200, 503)
        wait_until(lambda: httpx.get(address).status_code == 200, "the file is not there again", 60)
        assert httpx.get(address).content == before
        assert httpx.get(f"{server.url}{ROWS}").status_code == 200
