"""The whole embedded platform: up, killed in parts, up again, in other modes, down without a trace.

The tests tell one story, in order, on one platform.
"""

import itertools
import json
import shutil
import socket
import subprocess
import time
from datetime import date
from pathlib import Path

import boto3
import jwt
import psutil
import psycopg
import pytest
import requests
from botocore.exceptions import ClientError
from typer.testing import CliRunner

from include import cli
from include.errors import ServiceUnavailable
from include.local import platform, processes
from include.local.account import as_unprivileged, unprivileged
from include.local.doctor import doctor
from include.local.home import HOST, read_json
from include.local.services import postgres
from include.local.services.airflow_api import AirflowApi
from include.local.services.airflow_dags import AirflowDags
from include.local.state import prepare, read_secrets, set_as_of
from include.local.status import status
from include.settings import Settings, WrongSetting

pytestmark = pytest.mark.platform

ALL = ["postgresql", "s3", "sandbox", "api-server", "scheduler", "dag-processor", "triggerer"]


def free_port_base() -> int:
    """The first base whose four ports are free."""
    for base in itertools.count(21000, 10):
        if not any(processes.port_owner(base + offset) for offset in range(4)):
            return base
    raise AssertionError


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> Settings:
    home = tmp_path_factory.mktemp("platform") / "home"
    return Settings(_env_file=None, WANDLE_HOME=home, WANDLE_PORT_BASE=free_port_base())


@pytest.fixture(scope="module")
def said(settings):
    """What the first `up` reported, beginning with a cluster whose making was interrupted."""
    half_made = settings.home / "postgres.new"
    half_made.mkdir(parents=True)
    (half_made / "PG_VERSION").write_text("18\n")
    lines = []
    try:
        platform.up(settings, report=lines.append)
        yield lines
    finally:
        platform.down(settings, report=lambda _: None)


def up(settings: Settings) -> list[str]:
    lines = []
    platform.up(settings, report=lines.append)
    return lines


def states(settings: Settings) -> dict[str, str]:
    return {each.name: each.state for each in status(settings)}


def pids(settings: Settings) -> dict[str, int]:
    return {each.name: each.pid for each in status(settings)}


def kill(settings: Settings, name: str) -> None:
    process = psutil.Process(pids(settings)[name])
    process.kill()
    process.wait(5)


def listening_at(process: psutil.Process) -> set[str]:
    try:
        found = process.net_connections(kind="inet")
    except psutil.NoSuchProcess:  # a connection of the database has ended meanwhile
        return set()
    return {each.laddr.ip for each in found if each.status == psutil.CONN_LISTEN}


@pytest.fixture
def variables(settings, said) -> dict[str, str]:
    return platform.environment(settings)


@pytest.fixture
def s3(variables):
    return boto3.client(
        "s3",
        endpoint_url=variables["AWS_ENDPOINT_URL_S3"],
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        region_name="eu-west-2",
    )


def test_everything_runs_after_up(settings, said):
    assert states(settings) == dict.fromkeys(ALL, "running")
    assert any(line.startswith("postgresql: cluster created") for line in said)


@pytest.fixture
def command(settings, said, monkeypatch):
    """Runs the command line on the platform."""
    monkeypatch.setenv("WANDLE_HOME", str(settings.home))
    monkeypatch.setenv("WANDLE_PORT_BASE", str(settings.port_base))
    monkeypatch.setenv("COLUMNS", "300")
    return lambda *arguments: CliRunner().invoke(cli.app, arguments)


def test_only_what_deletes_starts_paused_and_status_says_what_that_means(settings, said, command):
    assert platform.paused_dags(settings) == ["housekeeping"]
    assert (
        "Paused DAGs: housekeeping. A run that is triggered stays queued"
        in command("status").output
    )


def test_the_dag_of_a_new_source_is_unpaused_with_its_table(settings, said, variables, command):
    # As if its contract had just been added.
    new, other = "ingest_bank_holidays", "ingest_weather_hourly"
    api = AirflowApi(
        variables["AIRFLOW_URL"], variables["AIRFLOW_USER"], variables["AIRFLOW_PASSWORD"]
    )
    for name in (new, other):
        api.patch(f"/dags/{name}", {"is_paused": True})
    admin = Settings.read().need("admin_dsn")
    with psycopg.connect(admin) as connection:
        connection.execute("drop table raw.bank_holidays cascade")

    done = command("migrate")

    assert done.exit_code == 0, done.output
    assert f"unpaused the DAG {new}, from its next scheduled run on" in done.output
    assert platform.paused_dags(settings) == ["housekeeping", other]
    up(settings)
    # A person has paused it.
    assert platform.paused_dags(settings) == ["housekeeping", other]
    api.unpause(other)


def test_airflow_lets_in_a_user_with_the_password_and_nobody_else(variables):
    login = f"{variables['AIRFLOW_URL']}/auth/token"
    user, password = variables["AIRFLOW_USER"], variables["AIRFLOW_PASSWORD"]

    right = requests.post(login, json={"username": user, "password": password}, timeout=30)
    wrong = requests.post(login, json={"username": user, "password": "guess"}, timeout=30)
    anonymous = requests.get(f"{variables['AIRFLOW_URL']}/api/v2/dags", timeout=30)

    assert [right.status_code, wrong.status_code, anonymous.status_code] == [201, 401, 401]


@pytest.fixture
def dags(variables) -> AirflowDags:
    names = ("AIRFLOW_URL", "AIRFLOW_USER", "AIRFLOW_PASSWORD")
    return AirflowDags(AirflowApi(*(variables[name] for name in names)))


def test_a_dag_whose_contract_is_gone_is_deleted_with_its_runs(settings, dags):
    admin = prepare(settings).need("admin_dsn").replace("/warehouse", "/airflow")
    with psycopg.connect(admin) as connection:
        # As Airflow leaves a DAG that the newest parse of its file did not find.
        for table, changes in (
            ("dag", {"dag_id": "ingest_gone", "last_parsed_time": "2026-01-01T00:00:00Z"}),
            ("dag_run", {"dag_id": "ingest_gone", "id": 4711, "state": "success"}),
        ):
            connection.execute(
                f"insert into {table} select (jsonb_populate_record(one, %s::jsonb)).* "  # type: ignore[arg-type]
                f"from {table} as one where dag_id = 'ingest_weather_hourly' limit 1",
                (json.dumps(changes),),
            )

    found = dags.history("ingest_gone")
    dags.delete("ingest_gone")

    assert found is not None
    assert (found.runs, found.active) == (1, ())
    assert dags.history("ingest_gone") is None
    assert dags.history("ingest_weather_hourly") is not None


def test_a_dag_that_its_file_still_defines_is_not_deleted(dags):
    with pytest.raises(ServiceUnavailable, match="the DAG transform is still there after 0 s"):
        dags.delete("transform", seconds=0)

    assert dags.history("transform") is not None


@pytest.mark.parametrize(("role", "status"), [("admin", 200), ("superuser", 403), (["admin"], 403)])
def test_a_token_that_is_signed_for_a_role_that_airflow_does_not_know_is_refused(
    settings, variables, role, status
):
    user = {"username": variables["AIRFLOW_USER"], "password": variables["AIRFLOW_PASSWORD"]}
    login = requests.post(f"{variables['AIRFLOW_URL']}/auth/token", json=user, timeout=30)
    token = login.json()["access_token"]
    claims = jwt.decode(token, options={"verify_signature": False}) | {"role": role}
    algorithm = jwt.get_unverified_header(token)["alg"]
    signed = jwt.encode(claims, read_secrets(settings.home)["airflow_jwt_secret"], algorithm)

    answer = requests.get(
        f"{variables['AIRFLOW_URL']}/api/v2/dags",
        headers={"Authorization": f"Bearer {signed}"},
        timeout=30,
    )

    assert answer.status_code == status, answer.text


def test_the_warehouse_lets_roles_in_only_by_their_password(variables):
    dsn = variables["WANDLE_WAREHOUSE_DSN"]
    without = dsn.replace(dsn.split("@")[0], "postgresql://wandle_reader")

    with psycopg.connect(dsn) as connection:
        found = connection.execute("select current_user, version()").fetchone()
    with pytest.raises(psycopg.OperationalError, match="no password supplied"):
        psycopg.connect(without)

    assert found[0] == "wandle_reader"
    assert found[1].startswith("PostgreSQL 18")


def test_nothing_listens_on_an_address_other_than_the_loopback(settings, said):
    own = {psutil.Process(pid) for pid in pids(settings).values()}
    family = own | {child for process in own for child in process.children(recursive=True)}

    listening = set().union(*map(listening_at, family))

    assert listening == {HOST}


def test_s3_takes_large_objects_in_parts_and_lists_them(s3, variables, tmp_path):
    bucket = variables["WANDLE_BUCKET"]
    large = tmp_path / "large"
    large.write_bytes(b"0123456789abcdef" * 1_250_000)

    s3.upload_file(str(large), bucket, "probe/large", ExtraArgs={"Metadata": {"sha256": "abc"}})
    for number in range(3):
        s3.put_object(Bucket=bucket, Key=f"probe/{number}", Body=b"small")
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix="probe/", PaginationConfig={"PageSize": 2}
    )

    assert [item["Key"] for page in pages for item in page["Contents"]] == [
        "probe/0",
        "probe/1",
        "probe/2",
        "probe/large",
    ]
    assert s3.get_object(Bucket=bucket, Key="probe/large")["Body"].read() == large.read_bytes()


def test_s3_refuses_a_wrong_key(variables):
    stranger = boto3.client(
        "s3",
        endpoint_url=variables["AWS_ENDPOINT_URL_S3"],
        aws_access_key_id="stranger",
        aws_secret_access_key="guess",
        region_name="eu-west-2",
    )

    with pytest.raises(ClientError, match=r"403|AccessDenied|InvalidAccessKeyId"):
        stranger.list_objects_v2(Bucket=variables["WANDLE_BUCKET"])


def test_up_again_starts_nothing_and_takes_seconds(settings, said):
    before = pids(settings)
    began = time.monotonic()

    lines = up(settings)

    assert pids(settings) == before
    assert time.monotonic() - began < 15
    assert not [line for line in lines if "start" in line]


def test_what_is_killed_is_dead_and_up_restarts_nothing_else(settings, said, s3, variables):
    before = pids(settings)
    kill(settings, "s3")
    kill(settings, "scheduler")
    dead = states(settings)

    lines = up(settings)

    after = pids(settings)
    assert {name for name, state in dead.items() if state == "dead"} == {"s3", "scheduler"}
    assert {name for name in ALL if before[name] != after[name]} == {"s3", "scheduler"}
    assert f"s3: process {before['s3']} is dead; restarting" in lines
    body = s3.get_object(Bucket=variables["WANDLE_BUCKET"], Key="probe/1")["Body"].read()
    assert body == b"small"


def test_a_killed_postgresql_recovers_although_its_process_id_was_taken(settings, said):
    dsn = platform.environment(settings)["WANDLE_LOADER_DSN"]
    data = postgres.data_folder(settings)
    kill(settings, "postgresql")
    squatter = subprocess.Popen(as_unprivileged(("sleep", "300"), ()))
    lock_file = data / "postmaster.pid"
    if lock_file.exists():
        lines = lock_file.read_text().splitlines()
        lock_file.write_text("\n".join([str(squatter.pid), *lines[1:]]) + "\n")

    try:
        assert states(settings)["postgresql"] == "dead"
        up(settings)
        with psycopg.connect(dsn) as connection:
            assert connection.execute("select 1").fetchone() == (1,)
        assert states(settings) == dict.fromkeys(ALL, "running")
        assert squatter.poll() is None
    finally:
        squatter.kill()
        squatter.wait()


@pytest.mark.parametrize("selected", ["live", "recorded"])
def test_another_origin_is_refused_before_anything_stops(settings, said, tmp_path, selected):
    month = tmp_path / "police" / "crimes" / "kingston" / "2017-01"
    month.mkdir(parents=True)
    (month / "E05000401.json").write_text("[]")
    boundaries = tmp_path / "police" / "boundaries"
    boundaries.mkdir()
    (boundaries / "E09000021.json").write_text('{"type": "FeatureCollection", "features": []}')
    before = pids(settings)

    with pytest.raises(WrongSetting, match=f"`WANDLE_HOME={settings.home}-{selected} "):
        up(
            settings.model_copy(
                update={"live": True} if selected == "live" else {"payloads": tmp_path}
            )
        )

    assert pids(settings) == before


def test_up_says_where_each_source_is_requested(said):
    assert any(
        line.startswith("Sources   data.police.uk, in the sandbox: police_street_crime")
        for line in said
    )


def test_a_payload_folder_without_payloads_is_refused_before_anything_stops(settings, said):
    before = pids(settings)

    with pytest.raises(Exception, match="holds no recorded answers"):
        up(settings.model_copy(update={"payloads": Path("/usr/lib")}))

    assert pids(settings) == before


def test_the_sandbox_notices_a_moved_day_without_a_restart(settings, said):
    before = pids(settings)

    set_as_of(settings, date(2026, 12, 24))

    assert read_json(settings.home / "sandbox.json")["as_of"] == "2026-12-24"
    assert pids(settings) == before


def test_no_service_and_no_log_shows_a_secret(settings, said):
    secrets = [value for name, value in read_secrets(settings.home).items() if "user" not in name]
    commands = [" ".join(psutil.Process(pid).cmdline()) for pid in pids(settings).values()]
    logs = [path.read_text(errors="replace") for path in (settings.home / "logs").glob("*.log")]

    assert logs
    assert not [secret for secret in secrets for text in commands + logs if secret in text]


def test_doctor_finds_nothing_wrong_while_it_runs(settings, said):
    assert doctor(settings) == []


def test_doctor_names_a_role_that_changed_its_password_and_up_lets_it_in_again(
    settings, said, variables
):
    dsn = variables["WANDLE_WAREHOUSE_DSN"]
    with psycopg.connect(dsn) as connection:
        connection.execute("alter role current_user password 'stolen'")
        connection.execute("alter role current_user set statement_timeout = 1")

    found = {finding.what: finding.fix for finding in doctor(settings)}
    up(settings)

    login, limits = sorted(found)
    assert "wandle_reader cannot log in: password authentication failed" in login
    assert "wandle_reader: its settings are not exactly" in limits
    assert all("`wandle up`" in fix for fix in found.values())
    psycopg.connect(dsn).close()
    assert doctor(settings) == []


def test_doctor_names_a_dead_service_a_wrong_folder_and_how_to_fix_them(settings, said):
    kill(settings, "triggerer")

    found = doctor(settings.model_copy(update={"payloads": Path("/usr/lib")}))

    assert [finding.what.split(" ")[0] for finding in found] == ["triggerer", "sandbox:"]
    assert all(finding.fix for finding in found)


def test_down_leaves_no_process_and_no_port(settings, said):
    own = [psutil.Process(pid) for pid in pids(settings).values() if pid]
    family = own + [child for process in own for child in process.children(recursive=True)]
    began = time.monotonic()

    platform.down(settings, report=lambda _: None)

    assert not [process for process in family if process.is_running()]
    assert states(settings) == dict.fromkeys(ALL, "stopped")
    assert time.monotonic() - began < 60


def test_down_of_what_is_down_is_not_an_error(settings, said):
    lines = []

    platform.down(settings, report=lines.append)

    assert lines == ["Nothing was running."]


def test_a_taken_port_is_named_before_anything_is_started(settings, said):
    with socket.create_server((HOST, settings.port_base + 1)):
        with pytest.raises(processes.PlatformFailed, match=rf"{settings.port_base + 1} \(s3\) by"):
            up(settings)

        assert "running" not in states(settings).values()
        assert states(settings)["s3"] == "port in use"
        assert [found.what for found in doctor(settings) if "is in use by" in found.what]


@pytest.mark.skipif(unprivileged() is None, reason="only root steps down")
def test_root_steps_down_for_postgresql_even_in_a_closed_folder(tmp_path):
    assert shutil.which("setpriv")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    inside = closed / "inside"
    inside.mkdir(mode=0o755)
    command = ("/bin/sh", "-c", f"id -u; ls -d {inside}")

    ran = subprocess.run(as_unprivileged(command, (inside,)), capture_output=True, text=True)

    assert ran.stdout.split() == [str(unprivileged().pw_uid), str(inside)]
