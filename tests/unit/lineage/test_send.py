"""Events go to a file or a server; one that is down costs a warning, and no run."""

from __future__ import annotations

import json
import logging
import os
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import pytest
from openlineage.client.event_v2 import RunState

from include.lineage import send
from include.lineage.send import Sender
from tests.alert_sinks import hook
from tests.unit.lineage.test_events import job_run

KEY = "lineage-key-7c1d"


def begin(job: str = "load_police"):
    return job_run(job=job).event(RunState.START)


def test_each_event_is_a_line_of_a_file_that_nobody_else_reads(tmp_path):
    place = tmp_path / "a folder" / "lineage.jsonl"
    place.parent.mkdir()

    sender = Sender(place.as_uri())
    sender.send(begin("one"), begin("two"))
    Sender(place.as_uri()).send(begin("three"))

    jobs = [json.loads(line)["job"]["name"] for line in place.read_text().splitlines()]
    assert jobs == ["one", "two", "three"]
    assert place.stat().st_mode & 0o777 == 0o600


def test_processes_that_write_at_the_same_time_tear_no_line(tmp_path):
    place = tmp_path / "lineage.jsonl"
    long = "x" * 20_000

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: Sender(place.as_uri()).send(begin(long)), range(40)))

    lines = place.read_text().splitlines()
    assert len(lines) == 40
    assert all(json.loads(line)["job"]["name"] == long for line in lines)


@pytest.mark.allow_hosts(["127.0.0.1"])
def test_a_server_gets_each_event_with_its_key(caplog):
    with hook("/prefix/") as server, caplog.at_level(logging.DEBUG):
        Sender(server.url, KEY).send(begin("one"), begin("two"))

    assert [event["job"]["name"] for event in server.posted] == ["one", "two"]
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"
    assert KEY not in caplog.text


@pytest.mark.allow_hosts(["127.0.0.1"])
@pytest.mark.parametrize("status", [403, 500])
def test_a_server_that_refuses_causes_one_warning_and_is_not_requested_again(caplog, status):
    with hook("") as server:
        server.status = status
        sender = Sender(server.url, KEY)
        sender.send(begin(), begin())
        sender.send(begin())
        server.status = 200
        sender.send(begin())

    assert server.posted == []
    (warning,) = [record for record in caplog.records if record.name == "include.lineage.send"]
    assert warning.getMessage().startswith("lineage: 127.0.0.1:")
    assert "Check WANDLE_LINEAGE_URL" in warning.getMessage()
    assert KEY not in caplog.text


@pytest.mark.allow_hosts(["127.0.0.1"])
@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://me:hidden@127.0.0.1:9"])
def test_a_server_that_is_down_fails_nothing(caplog, url):
    Sender(url).send(begin())

    (warning,) = [record for record in caplog.records if record.name == "include.lineage.send"]
    assert "127.0.0.1:9 did not accept an event" in warning.getMessage()
    assert "hidden" not in caplog.text


@contextmanager
def server(answer: Callable[[socket.socket], object]) -> Iterator[str]:
    """The URL of a server that answers each connection as it likes."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    opened, _ = listening.accept()
                    threading.Thread(target=talk, args=(opened,), daemon=True).start()

        def talk(opened: socket.socket) -> None:
            with opened, suppress(OSError):
                opened.recv(65_536)
                answer(opened)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def byte_by_byte(opened: socket.socket) -> None:
    opened.send(b"HTTP/1.1 200 OK\r\n")
    for _ in range(40):
        opened.send(b"X-More: 1\r\n")
        time.sleep(0.1)


def slowly(opened: socket.socket) -> None:
    time.sleep(0.4)
    opened.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


@pytest.mark.allow_hosts(["127.0.0.1"])
@pytest.mark.parametrize(
    ("answer", "why"),
    [(byte_by_byte, "no answer within 1 seconds"), (slowly, "its answers take too long")],
)
def test_a_server_that_answers_too_slowly_delays_a_process_only_for_a_while(
    monkeypatch, caplog, answer, why
):
    monkeypatch.setattr(send, "SECONDS", 1)
    with server(answer) as url:
        sender, began = Sender(url), time.monotonic()
        for _ in range(20):
            sender.send(begin())

    # As long as it may, and of each answer before that the part that is not slow.
    assert time.monotonic() - began < 4
    assert why in caplog.text


@pytest.mark.allow_hosts(["127.0.0.1"])
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(caplog, status):
    asked: list[bytes] = []

    def elsewhere(opened: socket.socket) -> None:
        asked.append(b"")
        opened.send(
            b"HTTP/1.1 %d Moved\r\nLocation: /other\r\nContent-Length: 0\r\n"
            b"Connection: close\r\n\r\n" % status
        )

    with server(elsewhere) as url:
        Sender(url, KEY).send(begin())

    assert len(asked) == 1
    assert f"did not accept an event (status {status})" in caplog.text


@pytest.mark.parametrize(
    "url", ["https://me:hidden@", "http://me:hidden@host:port/", "http://[::1"]
)
def test_an_invalid_address_fails_nothing_and_shows_no_password(caplog, url):
    Sender(url).send(begin())

    assert "did not accept an event" in caplog.text
    assert "hidden" not in caplog.text


def test_a_full_disk_leaves_no_half_a_line(tmp_path, caplog):
    place = tmp_path / "lineage.jsonl"
    Sender(place.as_uri()).send(begin("one"))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (place.stat().st_size + 10, before[1]))
    try:
        Sender(place.as_uri()).send(begin("two"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    Sender(place.as_uri()).send(begin("three"))

    jobs = [json.loads(line)["job"]["name"] for line in place.read_text().splitlines()]
    assert jobs == ["one", "three"]
    assert "no space left" in caplog.text


def test_a_pipe_that_nobody_reads_blocks_nothing(tmp_path, caplog):
    os.mkfifo(tmp_path / "pipe")

    Sender((tmp_path / "pipe").as_uri()).send(begin())

    assert "did not accept an event" in caplog.text


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_file_that_may_not_be_written_fails_nothing(tmp_path, caplog):
    tmp_path.chmod(0o500)

    Sender((tmp_path / "lineage.jsonl").as_uri()).send(begin())

    assert "PermissionError" in caplog.text


def test_a_folder_that_is_not_there_fails_nothing(tmp_path, caplog):
    Sender((tmp_path / "none" / "lineage.jsonl").as_uri()).send(begin())

    assert "FileNotFoundError" in caplog.text
