"""Files on an SFTP server: a real one, on the loopback address."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from include.errors import BeyondLimit, PermanentError, SourceRejected, SourceUnavailable
from include.extract.files.sftp import Sftp
from include.jobs.files.classify import classify_files
from include.jobs.pipeline.extract import extract
from include.sources.model import Contract
from tests.integration.test_files import PATTERN, body, described
from tests.sftp_server import PASSWORD, sftp_server

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
OLD = NOW.timestamp() - 30 * 24 * 3600


@pytest.fixture
def server(tmp_path: Path):
    (tmp_path / "sftp" / "out").mkdir(parents=True)
    with sftp_server(tmp_path / "sftp") as found:
        yield found


def put(server: Any, name: str, content: bytes, modified: float = OLD) -> Path:
    path = server.folder / "out" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (modified, modified))
    return path


def asked(pattern: str = PATTERN, **changes: Any) -> Contract:
    sftp = {"from": "sftp", "connection": "council_sftp", "folder": "/out"}
    return described(pattern, extract=sftp | changes.pop("extract", {}), **changes)


def states(contract: Contract, lake: Any, uri: str) -> dict[str, str]:
    found = classify_files(contract, lake=lake, today=NOW, source_dsn=uri)
    return {one.match.file.name: one.state for one in found.files}


def landed(contract: Contract, lake: Any, uri: str) -> Any:
    where = contract.partition("kingston", "2026-05")
    landing_id = extract(contract, where, lake=lake, run_id="r", source_dsn=uri)
    return lake.landings.manifest(where, landing_id)


def test_a_file_is_landed_and_then_is_nothing_new_until_it_changes(lake, server):
    contract, uri = asked(), server.uri()
    put(server, "spend_kingston_2026-05.csv", body(1, 2))
    assert states(contract, lake, uri) == {"spend_kingston_2026-05.csv": "new"}

    manifest = landed(contract, lake, uri)

    page = manifest.pages[0]
    assert page.request.url == "sftp:council_sftp/out/spend_kingston_2026-05.csv"
    assert (page.records, page.bytes) == (2, len(body(1, 2)))
    assert states(contract, lake, uri) == {"spend_kingston_2026-05.csv": "landed"}
    # Written again with the same content: looked at again, but not landed.
    put(server, "spend_kingston_2026-05.csv", body(1, 2), OLD + 5)
    assert states(contract, lake, uri) == {"spend_kingston_2026-05.csv": "changed"}
    assert landed(contract, lake, uri).landing_id == manifest.landing_id
    put(server, "spend_kingston_2026-05.csv", body(1, 3), OLD + 9)
    assert landed(contract, lake, uri).landing_id > manifest.landing_id


def test_a_key_logs_in_too(lake, server):
    put(server, "spend_kingston_2026-05.csv", body(1))
    uri = server.uri(password="", private_key=server.client_key)

    assert landed(asked(), lake, uri).totals.records == 1


def test_a_file_that_is_still_being_written_is_left_alone(lake, server):
    contract, uri = asked(), server.uri()
    put(server, "spend_kingston_2026-05.csv", body(1), time.time() - 5)
    put(server, "spend_sutton_2026-05.csv", body(1))
    put(server, "spend_sutton_2026-06.csv.filepart", body(1))
    put(server, ".spend_sutton_2026-07.csv.x8y", body(1))

    found = classify_files(contract, lake=lake, today=NOW, source_dsn=uri)

    assert {one.match.file.name: one.state for one in found.files} == {
        "spend_kingston_2026-05.csv": "being written",
        "spend_sutton_2026-05.csv": "new",
        "spend_sutton_2026-06.csv.filepart": "being written",
        ".spend_sutton_2026-07.csv.x8y": "being written",
    }
    assert [str(one) for one in found.partitions] == ["gauges sutton 2026-05"]
    with pytest.raises(SourceUnavailable, match=r"spend_kingston_2026-05.csv is still being writ"):
        landed(contract, lake, uri)


def test_a_file_of_a_clock_that_runs_ahead_must_be_the_same_in_two_checks(lake, server):
    put(server, "spend_kingston_2026-05.csv", body(1), time.time() + 3600)

    assert states(asked(), lake, server.uri()) == {"spend_kingston_2026-05.csv": "new"}


def test_a_file_that_grows_while_it_is_read_is_not_landed(lake, server, monkeypatch):
    path = put(server, "spend_kingston_2026-05.csv", body(1, 2))
    contract = asked(extract={"settle_seconds": 0})
    listed = list(Sftp(contract, server.uri()).files())
    path.write_bytes(body(1, 2, 3))
    os.utime(path, (OLD, OLD))

    with pytest.raises(SourceUnavailable, match="changed while it was being read"):
        Sftp(contract, server.uri()).read("who", listed[0])


def test_links_and_odd_names_are_reported_and_never_followed(lake, server):
    outside = server.folder / "secret"
    outside.write_bytes(body(1))
    (server.folder / "out" / "spend_kingston_2026-05.csv").symlink_to(outside)
    (server.folder / "out" / "sub").symlink_to(server.folder)
    put(server, "spend_\x1b[2J\n.csv", body(1))
    put(server, "-rf.csv", body(1))
    os.mkfifo(server.folder / "out" / "spend_sutton_2026-05.csv")

    found = classify_files(asked(), lake=lake, today=NOW, source_dsn=server.uri())

    assert found.partitions == ()
    link = "it is a link or a special file, which is not followed"
    assert {one.match.file.name: one.why for one in found.files} == {
        "spend_kingston_2026-05.csv": link,
        "spend_sutton_2026-05.csv": link,
        "sub": "its name does not match `extract.pattern`",
        "spend_\x1b[2J\n.csv": "its name has characters that cannot be printed",
        "-rf.csv": "its name does not match `extract.pattern`",
    }


def test_folders_are_read_as_deep_as_the_pattern_goes(lake, server):
    put(server, "kingston/2026/05.csv", body(1))
    put(server, "kingston/2026/deeper/05.csv", body(1))
    contract = asked(r"{council.name}/{period:%Y/%m}\.csv")

    assert states(contract, lake, server.uri()) == {"kingston/2026/05.csv": "new"}


def test_a_different_host_key_is_refused_before_the_password_is_sent(lake, server, caplog):
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()

    with pytest.raises(SourceRejected, match="has a host key other than `host_key`"):
        landed(asked(), lake, server.uri(host_key=other))
    with pytest.raises(PermanentError, match="'council_sftp' lacks host_key"):
        landed(asked(), lake, server.uri(host_key=""))
    with pytest.raises(SourceRejected, match="refuses the login") as wrong:
        landed(asked(), lake, server.uri(password="wrong-secret"))
    assert "wrong-secret" not in str(wrong.value)
    assert PASSWORD not in caplog.text


def test_a_server_that_is_gone_is_tried_again(lake, server):
    gone = replace(server, port=1)
    with pytest.raises(SourceUnavailable, match="no answer from the SFTP server 'council_sftp'"):
        landed(asked(), lake, gone.uri())
    with pytest.raises(SourceRejected, match="no such file or folder"):
        landed(asked(extract={"folder": "/elsewhere"}), lake, server.uri())


def test_limits_hold(lake, server):
    put(server, "spend_kingston_2026-05.csv", b"id,note\n" + b"1,abcdefg\n" * 200_000)
    with pytest.raises(BeyondLimit, match="more than 1048576 bytes"):
        landed(asked(limits={"answer_bytes": 1024 * 1024}), lake, server.uri())
    for number in range(6):
        put(server, f"{number}.csv", b"")
    with pytest.raises(BeyondLimit, match=r"limits\.files: 5"):
        landed(asked(limits={"files": 5}), lake, server.uri())
