"""A real full disk: nothing ends in a traceback, the disk is named, and freeing it is enough."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import psutil
import psycopg
import pytest

from include import cli
from include.disk import DiskFull, warning
from include.extract.client import Client
from include.extract.network.receive import IN_MEMORY_BYTES
from include.jobs.lake import S3_CONFIG, Lake
from include.jobs.pipeline.load import load
from include.jobs.pipeline.rebuild import rebuild
from include.landing.write import Draft
from include.local.processes import Service, port_owner, recorded, start, stop
from include.settings import Settings
from include.sources.extract.http import Extract
from include.sources.page import SentRequest
from include.warehouse.connection import connect
from include.warehouse.schema.migrate import migrate
from tests.integration.conftest import serving
from tests.integration.fixture_server import FixtureServer
from tests.integration.landings import land
from tests.samples import REQUEST, contract, extracting, facts, partition
from tests.security.local_user import as_nobody, folder_of_nobody

CHECKOUT = Path(__file__).parents[2]
SIZE = 8_000_000


@pytest.fixture
def disk(tmp_path) -> Iterator[Path]:
    """A file system of 8 MB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    with mounted(folder):
        yield folder


@pytest.fixture
def tablespace(sockets) -> Iterator[Path]:
    """A folder of PostgreSQL's on such a disk, where its user can reach it."""
    server = Path(sockets, "PG_VERSION").stat()
    with tempfile.TemporaryDirectory(prefix="wandle-") as name, mounted(Path(name)):
        # A new pytest closes the folder of all others.
        Path(name).chmod(0o711)
        folder = Path(name, "postgres")
        folder.mkdir(mode=0o700)
        os.chown(folder, server.st_uid, server.st_gid)
        yield folder


@contextmanager
def mounted(folder: Path) -> Iterator[None]:
    """A small file system in a folder."""
    mount = ("/bin/mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder))
    if subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("this user may not mount a file system")
    try:
        yield
    finally:
        subprocess.run(("/bin/umount", "--lazy", str(folder)), check=True)


@cache
def port_base() -> int:
    """Ten ports that nothing uses."""
    wanted = range(23000 + os.getpid() % 900 * 10, 32000, 10)
    return next(base for base in wanted if all(port_owner(base + n) is None for n in range(10)))


def fill(disk: Path) -> Path:
    """Leave no byte free."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (65536, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue
    assert os.statvfs(disk).f_bavail == 0
    return ballast


def wandle(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line as people run it."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("WANDLE_", "AIRFLOW", "AWS_"))}
    return subprocess.run(
        (sys.executable, "-c", "from include.cli import main; main()", *arguments),
        env=kept
        | {
            "WANDLE_HOME": str(home),
            "WANDLE_PORT_BASE": str(port_base()),
            "PYTHONPATH": str(CHECKOUT),
        },
        cwd="/",
        capture_output=True,
        text=True,
        timeout=120,
    )


def named(said: str, disk: Path) -> bool:
    return f"on the disk {disk}" in said and "free of 8.0 MB" in said


def test_with_a_full_disk_the_platform_can_be_stopped_and_later_continues(disk):
    home = disk / "home"
    begun = wandle(home, "sandbox")
    assert begun.returncode == 0, begun.stderr
    pid = recorded(home, "sandbox").pid  # type: ignore[union-attr]
    ballast = fill(disk)

    status, doctor = wandle(home, "status"), wandle(home, "doctor")
    stopped = wandle(home, "down")

    assert "nearly full" in status.stdout
    assert named(status.stdout, disk)
    assert named(doctor.stdout, disk), doctor.stdout + doctor.stderr
    assert stopped.returncode == 0, stopped.stderr
    assert "Stopped: sandbox" in stopped.stdout
    assert not Path(f"/proc/{pid}").exists()

    refused = wandle(home, "sandbox")

    assert refused.returncode == 1
    assert "Traceback" not in refused.stdout + refused.stderr
    assert "No space left on device" in refused.stderr
    assert named(refused.stderr, disk)
    assert "run the same command again" in refused.stderr
    assert "nothing needs repair" in refused.stderr

    ballast.unlink()
    again = wandle(home, "sandbox")

    assert again.returncode == 0, again.stderr
    assert begun.stdout.splitlines()[-1] == again.stdout.splitlines()[-1]
    assert "nearly full" not in wandle(home, "status").stdout
    assert wandle(home, "down").returncode == 0


def test_a_new_platform_on_a_full_disk_is_refused_and_leaves_nothing_behind(disk):
    fill(disk)

    refused = wandle(disk / "home", "up")

    assert refused.returncode == 1
    assert "Traceback" not in refused.stderr
    assert named(refused.stderr, disk)


def test_a_read_only_disk_is_named(disk):
    home = disk / "home"
    home.mkdir()
    subprocess.run(("/bin/mount", "-o", "remount,ro", str(disk)), check=True)

    refused = wandle(home, "up")

    assert refused.returncode == 1
    assert "Traceback" not in refused.stderr
    assert "Read-only file system" in refused.stderr
    assert str(disk) in refused.stderr
    assert "Make it writable" in refused.stderr


def test_a_folder_that_belongs_to_another_user_is_named(monkeypatch):
    with folder_of_nobody() as folder:
        closed = folder / "closed"
        closed.mkdir(mode=0o700)
        monkeypatch.setattr(cli, "app", lambda: (closed / "file").write_text("text"))

        def said() -> str:
            with redirect_stderr(io.StringIO()) as told, pytest.raises(SystemExit):
                cli.main()
            return told.getvalue()

        told = " ".join(as_nobody(said).split())

    assert "Traceback" not in told
    assert "closed/file: Permission denied. Give this user access to it" in told


def test_a_service_whose_start_cannot_be_recorded_is_not_left_running(disk):
    home = disk / "home"
    (home / "logs").mkdir(parents=True)
    (home / "logs" / "clock.log").touch()
    (home / "run").mkdir()
    marker = f"time.sleep({90 + os.getpid() / 1e6})"
    fill(disk)

    with pytest.raises(OSError, match="No space left"):
        start(
            home,
            Service(
                name="clock",
                command=(sys.executable, "-c", f"import time; {marker}"),
                environment={},
                address="",
                answers=lambda _: True,
            ),
        )

    commands = [process.info["cmdline"] or () for process in psutil.process_iter(["cmdline"])]
    assert not any(marker in " ".join(command) for command in commands)
    stop(home, ["clock"], signal.SIGKILL, 5)


def test_an_answer_that_does_not_fit_the_temporary_folder_names_its_disk(disk, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(disk))
    monkeypatch.setenv("WANDLE_HOME", str(disk))
    extract = Extract.model_validate(extracting(attempts=1))
    # Larger than what is kept in memory.
    server = FixtureServer().on("gauges", b"x" * (IN_MEMORY_BYTES + SIZE))
    with serving(server) as url:
        request = SentRequest(method="GET", url=f"{url}/gauges")
        client = Client(extract, extract.rate, public_only=False)

        with pytest.raises(DiskFull) as failed:
            client.ask("gauges kingston 2017-05", request, check=lambda answer: None)

    said = str(failed.value)
    assert said.startswith("gauges kingston 2017-05: keeping the answer from")
    assert f"on the disk {disk}" in said
    assert "then try again" in said
    assert "broke off" not in said


@pytest.fixture
def lake_on(disk, deployment, monkeypatch) -> Iterator[Lake]:
    """The S3 of one machine, on the small disk."""
    monkeypatch.setenv("WANDLE_HOME", str(disk))
    (disk / "s3" / "wandle").mkdir(parents=True)
    port = port_base() + 9
    program = Path(sys.executable).with_name("rclone")
    server = subprocess.Popen(
        (program, "serve", "s3", disk / "s3", "--addr", f"127.0.0.1:{port}", "--config", "",
         "--auth-key", "test,test", "--vfs-cache-mode", "off", "--log-level", "CRITICAL")
    )  # fmt: skip
    session = boto3.Session("test", "test", region_name="eu-west-2")
    s3: Any = session.client("s3", endpoint_url=f"http://127.0.0.1:{port}", config=S3_CONFIG)
    try:
        for _ in range(100):
            try:
                s3.list_buckets()
                break
            except Exception:
                time.sleep(0.1)
        yield Lake(s3, "wandle", session)
    finally:
        server.terminate()
        server.wait(timeout=20)


def test_a_landing_that_does_not_fit_names_the_disk_and_lands_once_there_is_room(disk, lake_on):
    ballast = fill(disk)
    now = datetime.now(UTC)
    draft = Draft.open(lake_on.landings, partition(), run_id="run", contract_hash="x", now=now)
    body = os.urandom(100_000)

    with pytest.raises(DiskFull) as failed:
        draft.add(facts(body, 1), REQUEST, io.BytesIO(body))

    assert str(failed.value).startswith("S3: writing s3://wandle/landing/gauges/")
    assert named(str(failed.value), disk)
    assert "then try again" in str(failed.value)
    assert Settings.read().home == disk

    ballast.unlink()
    draft.add(facts(body, 1), REQUEST, io.BytesIO(body))


def test_a_database_on_a_full_disk_is_named_and_loads_once_there_is_room(tablespace, warehouse):
    with psycopg.connect(warehouse.admin, autocommit=True) as admin:
        admin.execute(f"create tablespace small location '{tablespace}'")  # type: ignore[arg-type]
        try:
            admin.execute("create table big (v text) tablespace small")
            ballast = fill(tablespace.parent)
            insert = (
                "insert into big select repeat(md5(n::text), 9) from generate_series(1, 3000) n"
            )

            with pytest.raises(DiskFull) as failed, connect(warehouse.admin) as connection:
                connection.execute(insert)  # type: ignore[arg-type]

            assert "database server's disk is full" in str(failed.value)
            assert "then try again" in str(failed.value)

            ballast.unlink()
            with connect(warehouse.admin) as connection:
                connection.execute(insert)  # type: ignore[arg-type]
        finally:
            admin.execute("drop table if exists big")
            admin.execute("drop tablespace small")


def test_a_rebuild_on_a_full_disk_changes_nothing_and_runs_once_there_is_room(
    tablespace, new_database, lake
):
    warehouse = new_database()
    gauges = contract()
    migrate(warehouse.admin, [gauges], {})
    land(lake, gauges, [{"id": n, "note": f"{n} " * 40} for n in range(2_000)])
    where = gauges.partition("kingston", "2017-05")
    load(gauges, where, lake=lake, dsn=warehouse.dsn(), run_id="run")
    with psycopg.connect(warehouse.admin, autocommit=True) as admin:
        admin.execute(f"create tablespace tiny location '{tablespace}'")  # type: ignore[arg-type]
        admin.execute("grant create on tablespace tiny to public")
        admin.execute(f"alter database {warehouse.name} set default_tablespace = tiny")  # type: ignore[arg-type]
    books = warehouse.query("select * from ops.load")
    try:
        ballast = fill(tablespace.parent)
        # Room for the table and its index, but not for its rows.
        os.truncate(ballast, ballast.stat().st_size - 100_000)

        with pytest.raises(DiskFull, match="database server's disk is full"):
            rebuild(gauges, lake=lake, admin_dsn=warehouse.admin)

        assert warehouse.value("select count(*) from raw.gauges") == 2_000
        assert warehouse.query("select * from ops.load") == books
        assert [
            path for path in tablespace.rglob("*") if path.is_file() and path.stat().st_size
        ] == []
        ballast.unlink()
        rebuild(gauges, lake=lake, admin_dsn=warehouse.admin)
        assert warehouse.value("select count(*) from raw.gauges") == 2_000
        assert sum(path.stat().st_size for path in tablespace.rglob("*")) > 100_000
    finally:
        with psycopg.connect(warehouse.admin, autocommit=True) as admin:
            admin.execute(f"alter database {warehouse.name} reset default_tablespace")  # type: ignore[arg-type]
            admin.execute("drop table raw.gauges")
            admin.execute("drop tablespace tiny")


def test_there_is_no_warning_about_a_disk_with_room(tmp_path):
    assert warning(tmp_path) == "" or os.statvfs(tmp_path).f_bavail * 4096 < 1e9
    assert "nearly full" in warning(tmp_path, 10**18)
