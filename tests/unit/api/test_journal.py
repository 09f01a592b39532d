"""The log of requests."""

from __future__ import annotations

import json
import os
from datetime import datetime

from include.api.journal import Entry, Journal

AT = 1_795_000_000.25


def test_each_request_is_one_line_whatever_its_client_calls_itself(tmp_path):
    clients = ["", '"},{"time":', '},{"time":', "a\nb", "ü\u2028", "\\"]
    place = tmp_path / "log"
    with place.open("wb") as file:
        journal = Journal(tmp_path, dict, output=file.fileno())
        for number, client in enumerate(clients):
            journal.add(Entry(AT + number, f"r{number}", "GET", "/v1/", 200, 7, 90, client))
        journal.flush()
        journal.flush()
    said = [json.loads(line) for line in place.read_bytes().split(b"\n")[:-1]]
    assert [one.get("client", "") for one in said] == clients
    assert [datetime.fromisoformat(one["time"]).timestamp() for one in said] == [
        AT + number for number in range(len(clients))
    ]
    assert said[0] | {"time": ""} == {
        "time": "",
        "request": "r0",
        "method": "GET",
        "route": "/v1/",
        "status": 200,
        "bytes": 7,
        "microseconds": 90,
    }


def test_requests_are_counted_in_the_bucket_of_their_time(tmp_path):
    journal = Journal(tmp_path, dict, output=None)
    for micros in (0, 100, 101, 1_000_000, 1_000_001):
        journal.add(Entry(AT, "r", "GET", "/v1/", 200, 7, micros, ""))
    journal.flush()
    kept = json.loads((tmp_path / f"metrics-{os.getpid()}.json").read_bytes())
    assert kept["buckets"]["/v1/"] == [2, 1, *[0] * 9, 1, 1]
