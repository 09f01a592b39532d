"""What a hostile or broken server sends is refused at the contract's limits, quickly and flatly."""

from __future__ import annotations

import gzip
import io
import socket
import threading
import time
import tracemalloc
from contextlib import suppress
from typing import Any, get_args

import pytest

from include.errors import BeyondLimit, PermanentError, PipelineError, SourceUnavailable
from include.jobs.pipeline.extract import extract
from include.records.json.values import BodyCutShort
from include.records.read import read_records
from include.sources.model import Contract
from include.warehouse.prepare import prepare
from tests.samples import column, contract, counted, page_body, partition
from tests.security.hostile import (
    COMPRESSIONS,
    FORMATS,
    MIB,
    beginning,
    endless,
    fetch,
    hostile,
    nested,
    packed,
    records,
    source,
    whole,
)
from tests.security.peak import layout_of

EVERY_FORMAT = pytest.mark.parametrize("kind", FORMATS)
HUGE = "n" * (3 * MIB)
# Beyond a limit is soon noticed: sockets hold some, and chunks are read whole.
SLACK_BYTES = 16 * MIB


def refused(asked: Contract, server: Any, field: str) -> BeyondLimit:
    """The failure of a fetch, which names limit and contract field."""
    with pytest.raises(BeyondLimit) as caught:
        fetch(asked, server)
    assert isinstance(caught.value, PermanentError)
    assert caught.value.field == field
    assert f"`limits.{field}: " in str(caught.value)
    assert "gauges kingston 2017-05" in str(caught.value)
    return caught.value


def test_every_kind_of_source_is_tried():
    kinds = {
        item.model_fields["kind"].annotation
        for tagged in get_args(Contract.model_fields["extract"].annotation)
        for item in get_args(tagged)[:1]
    }
    assert {value for kind in kinds for value in get_args(kind)} == {
        "http",
        "database",
        "landing",
        "files",
    }
    assert FORMATS


@EVERY_FORMAT
def test_records_within_the_limits_are_fetched(kind):
    with hostile(lambda path, send: send(whole(records(kind, "n")))) as server:
        assert [page.facts.records for page in fetch(source(kind), server)] == [2]


@EVERY_FORMAT
def test_a_huge_record_is_refused(kind):
    body = records(kind, HUGE)
    asked = source(kind)
    as_a_whole = kind in ("columnar", "rows")
    field = "whole_bytes" if as_a_whole else "record_bytes"

    with hostile(lambda path, send: send(whole(body))) as server:
        refused(asked, server, field)
        larger = source(kind, limits={field: 4 * MIB})
        assert [page.facts.records for page in fetch(larger, server)] == [2]


@pytest.mark.parametrize("pattern", ["", "[A-Z]+"])
@EVERY_FORMAT
def test_a_landing_with_a_huge_record_is_refused_and_loads_with_a_larger_limit(kind, pattern):
    body = records(kind, HUGE)
    columns = column("id", "integer"), column("note", **({"pattern": pattern} if pattern else {}))
    layout, checks = layout_of(kind), {"max_quarantined_share": 1}
    small = {"record_bytes": MIB, "whole_bytes": MIB}
    asked = contract(*columns, format=layout, limits=small, checks=checks)

    with pytest.raises(BeyondLimit, match=r"0001\.json\.gz: .*raise `limits\.(record|whole)_bytes"):
        list(prepare(asked, partition(), "landing", [page_body(body, 2)]))

    larger = contract(*columns, format=layout, checks=checks)
    counts, _ = counted(prepare(larger, partition(), "landing", [page_body(body, 2)]))
    assert (counts.records, counts.loaded) == (2, 0 if pattern else 2)


def test_a_record_that_breaks_a_pattern_takes_a_few_times_its_size_of_memory():
    size = 6 * MIB
    body = records("json", "n" * size)
    asked = contract(column("id", "integer"), column("note", pattern="[A-Z]+"))

    tracemalloc.start()
    list(prepare(asked, partition(), "landing", [page_body(body, 2)]))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 16 * size


@EVERY_FORMAT
def test_a_body_that_never_ends_is_cut(kind):
    start, more = endless(kind)
    limit = 2 * MIB

    def answer(path: str, send: Any) -> None:
        send(beginning() + start)
        while True:
            send(more)

    with hostile(answer) as server:
        refused(source(kind, limits={"answer_bytes": limit}), server, "answer_bytes")
        assert server.sent < limit + SLACK_BYTES


@EVERY_FORMAT
@pytest.mark.parametrize("coding", ["gzip", "gzip, gzip"])
def test_a_bomb_in_the_content_encoding_is_cut(kind, coding):
    body = gzip.compress(records(kind, "n" * (64 * MIB)))
    body = gzip.compress(body) if "," in coding else body

    with hostile(lambda path, send: send(whole(body, f"Content-Encoding: {coding}"))) as server:
        tracemalloc.start()
        refused(source(kind, limits={"answer_bytes": 2 * MIB}), server, "answer_bytes")
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert peak < 16 * MIB


@EVERY_FORMAT
@pytest.mark.parametrize("how", COMPRESSIONS)
def test_a_bomb_in_a_compressed_file_is_cut(kind, how):
    body = packed(how, records(kind, "n" * (64 * MIB)))

    with hostile(lambda path, send: send(whole(body))) as server:
        refused(source(kind, limits={"answer_bytes": 2 * MIB}), server, "answer_bytes")


TRICKLES = {
    "in the status line": b"",
    "in a header": b"HTTP/1.1 200 OK\r\nX-Slow: ",
    "in the size of a chunk": beginning("Transfer-Encoding: chunked"),
    "in the body": beginning("Content-Length: 1000000"),
    "in the trailers": beginning("Transfer-Encoding: chunked") + b"2\r\n[]\r\n0\r\nX: ",
    "in the content encoding": beginning("Content-Encoding: gzip")
    + b"\x1f\x8b\x08\x08"
    + b"\0" * 6,
    "in a body without an end": beginning(),
}


@pytest.mark.parametrize("place", TRICKLES)
def test_a_byte_at_a_time_is_too_slow(place):
    def answer(path: str, send: Any) -> None:
        send(TRICKLES[place])
        while True:
            send(b"1")
            time.sleep(0.05)

    with hostile(answer) as server:
        began = time.monotonic()
        refused(source(limits={"request_seconds": 0.5}), server, "request_seconds")

    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("place", "line"),
    [
        *(
            (place, line)
            for place in ("in a header", "in the size of a chunk", "in the status line")
            for line in (b"1" * 65536, b"HTTP/1.1 100 Continue\r\n\r\n")
        ),
        ("in the trailers", b"1" * 65536),
        ("in the trailers", b"X: 1\r\n"),
    ],
)
def test_what_never_ends_outside_of_a_body_is_cut_too(place, line):
    def answer(path: str, send: Any) -> None:
        send(TRICKLES[place])
        while True:
            send(line)

    with hostile(answer) as server:
        began = time.monotonic()
        tracemalloc.start()
        with pytest.raises(PipelineError):
            fetch(source(limits={"request_seconds": 1}), server)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert time.monotonic() - began < 5
    assert peak < 16 * MIB


def test_a_server_that_says_nothing_is_given_up():
    quiet = threading.Event()

    with hostile(lambda path, send: quiet.wait(20) and None) as server:
        refused(source(limits={"request_seconds": 0.3}), server, "request_seconds")
        quiet.set()


class Spaces(io.RawIOBase):
    """White space, and then an end."""

    def __init__(self, size: int, end: bytes = b"") -> None:
        self._size, self._end, self._place = size, end, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, place: int, whence: int = 0) -> int:
        total = self._size + len(self._end)
        self._place = min(total, max(0, place + (0, self._place, total)[whence]))
        return self._place

    def readinto(self, buffer: Any) -> int:
        spaces = min(len(buffer), max(0, self._size - self._place))
        given = b" " * spaces or self._end[self._place - self._size :][: len(buffer)]
        buffer[: len(given)] = given
        self._place += len(given)
        return len(given)


@EVERY_FORMAT
def test_white_space_alone_takes_no_memory(kind):
    body = io.BufferedReader(Spaces(64 * MIB))

    tracemalloc.start()
    with pytest.raises((BodyCutShort, BeyondLimit)):
        list(read_records(body, 64 * MIB, source(kind).layout()))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 10 * MIB


@EVERY_FORMAT
def test_deep_nesting_is_refused_or_is_one_bad_record(kind):
    body = nested(kind, 100_000)

    with hostile(lambda path, send: send(whole(body))) as server:
        try:
            fetched = fetch(source(kind), server)
        except PermanentError as refusal:
            assert "nested too deeply" in str(refusal)  # noqa: PT017, or else it is fetched
            return
    assert [page.facts.records for page in fetched] == [2]


ALWAYS_ANOTHER = {"kind": "cursor", "next": "next", "parameter": "after"}


def paged(note: str, **changes: Any) -> tuple[Any, Contract]:
    """A server that always has another page, and a source that follows."""
    numbers = iter(range(10**9))

    def answer(path: str, send: Any) -> None:
        number = next(numbers)
        body = f'{{"items": [{{"id": {number}, "note": "{note}"}}], "next": "c{number}"}}'
        send(whole(body.encode()))

    asked = source(
        format={"records": "items"}, extract={"paging": ALWAYS_ANOTHER | changes.pop("paging", {})},
        **changes,
    )  # fmt: skip
    return answer, asked


def test_pages_without_end_stop_at_the_number_of_pages():
    answer, asked = paged("n", paging={"max_pages": 5})

    with hostile(answer) as server, pytest.raises(PermanentError, match="max_pages"):
        fetch(asked, server)


def test_pages_without_end_stop_at_the_time_of_the_fetch():
    answer, asked = paged("n", limits={"fetch_seconds": 0.5})

    with hostile(answer) as server:
        refused(asked, server, "fetch_seconds")


def test_pages_without_end_stop_at_the_size_of_the_partition():
    answer, asked = paged("n" * (MIB // 4), limits={"partition_bytes": MIB})

    with hostile(answer) as server:
        refused(asked, server, "partition_bytes")
        assert server.connections == 4


QUERIES = {
    "postgresql": "select n as id, repeat('n', {size}) as note from generate_series(1, {rows}) n",
    "mysql": "select seq as id, repeat('n', {size}) as note from seq_1_to_{rows}",
}
SLEEPS = {
    "postgresql": "select 1 as id from pg_sleep(20)",
    "mysql": "select 1 as id from seq_1_to_20 where sleep(1) = 0",
}


@pytest.fixture(params=QUERIES)
def database(request) -> Any:
    """Each kind of database that runs here, and its address."""
    if request.param == "mysql":
        return request.param, request.getfixturevalue("mariadb_server").address()
    return request.param, request.getfixturevalue("new_database")().admin


@pytest.mark.parametrize(
    ("size", "rows", "limits", "field"),
    [
        (3 * MIB, 2, {"record_bytes": MIB}, "record_bytes"),
        (1000, 3000, {"answer_bytes": MIB}, "answer_bytes"),
        (1000, 3000, {"partition_bytes": MIB}, "partition_bytes"),
        (0, 0, {"request_seconds": 0.5}, "request_seconds"),
        (0, 0, {"fetch_seconds": 0.5}, "fetch_seconds"),
    ],
)
def test_a_database_is_held_to_the_same_limits(lake, database, size, rows, limits, field):
    kind, address = database
    query = QUERIES[kind].format(size=size, rows=rows) if rows else SLEEPS[kind]
    reading = {"kind": "database", "connection": "cases", "query": query, "key": "id"}
    pages = {"page_size": 1000} if field == "partition_bytes" else {}
    asked = contract(column("id", "integer"), extract=reading | pages, limits=limits)
    began = time.monotonic()

    with pytest.raises(BeyondLimit, match=rf"gauges kingston 2017-05: .*`limits\.{field}"):
        extract(asked, partition(), lake=lake, run_id="run", source_dsn=address)

    assert time.monotonic() - began < 10


def test_large_rows_of_a_database_are_read_a_few_at_a_time(lake, database):
    kind, address = database
    query = QUERIES[kind].format(size=2 * MIB, rows=40)
    reading = {"kind": "database", "connection": "cases", "query": query, "key": "id"}
    asked = contract(column("id", "integer"), extract=reading)

    landing_id = extract(asked, partition(), lake=lake, run_id="run", source_dsn=address)

    assert lake.landings.manifest(partition(), landing_id).totals.records == 40


@pytest.mark.parametrize("trickle", [b"", b"1"])
def test_a_database_server_that_says_nothing_is_given_up(lake, trickle):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=_drip, args=(listening, trickle), daemon=True).start()
        address = f"mysql://u:p@127.0.0.1:{listening.getsockname()[1]}/d"
        reading = {"kind": "database", "connection": "cases", "query": "select 1", "key": "id"}
        limits = {"request_seconds": 0.5}
        asked = contract(column("id", "integer"), extract=reading, limits=limits)
        began = time.monotonic()

        with pytest.raises(BeyondLimit, match="request_seconds"):
            extract(asked, partition(), lake=lake, run_id="run", source_dsn=address)

    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    "said", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0\0\0\0", b"\x01\0\0\0\x0a"]
)
def test_a_server_that_is_not_a_database_is_retryable(lake, said):
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            client, _ = listening.accept()
            with client:
                client.sendall(said)

        threading.Thread(target=answer, daemon=True).start()
        address = f"mysql://u:p@127.0.0.1:{listening.getsockname()[1]}/d"
        reading = {"kind": "database", "connection": "cases", "query": "select 1", "key": "id"}
        asked = contract(column("id", "integer"), extract=reading)

        with pytest.raises(SourceUnavailable, match="does not answer"):
            extract(asked, partition(), lake=lake, run_id="run", source_dsn=address)


def _drip(listening: socket.socket, trickle: bytes) -> None:
    """Send a byte now and then; none if it is empty."""
    client, _ = listening.accept()
    with client, suppress(OSError):
        # The beginning of a packet of MySQL's.
        client.sendall(b"\xff\xff\xff\0" if trickle else b"")
        while client.fileno() >= 0:
            client.sendall(trickle)
            time.sleep(0.05)
