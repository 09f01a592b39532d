"""Services as processes: found again, not mistaken, distinguished from strangers, always ended."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import psutil
import pytest

from include.local.home import HOST, log_path, record_path
from include.local.platform import start_sandbox, up
from include.local.processes import (
    PlatformFailed,
    Service,
    inherited_environment,
    port_owner,
    recorded,
    start,
    stop,
)
from include.settings import CHECKOUT, Settings

FAMILY = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
time.sleep(60)
"""
DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(60)
"""


def service(code: str, **changes) -> Service:
    fields = {
        "name": "clock",
        "command": (sys.executable, "-c", code),
        "environment": inherited_environment(),
        "address": "nowhere",
        "answers": lambda _: True,
        "poll_seconds": 0.02,
    }
    return Service(**(fields | changes))


@pytest.fixture
def home(tmp_path):
    yield tmp_path
    stop(tmp_path, ["clock"], signal.SIGKILL, 5)


@pytest.fixture
def listener():
    with socket.create_server((HOST, 0)) as listening:
        yield listening.getsockname()[1]


def test_a_started_service_is_found_again(home):
    start(home, service("import time; time.sleep(60)"))

    found = recorded(home, "clock").process()

    assert os.getsid(found.pid) == found.pid != os.getsid(0)


def test_a_killed_service_is_not_running(home):
    start(home, service("import time; time.sleep(60)"))
    start_record = recorded(home, "clock")
    start_record.process().kill()
    time.sleep(0.2)

    assert start_record.process() is None


def test_a_recycled_process_id_is_not_the_service(home):
    # A session of its own, as of a login or another service.
    sleep = [sys.executable, "-c", "import time; time.sleep(10)"]
    with subprocess.Popen(sleep, start_new_session=True) as stranger:
        created = psutil.Process(stranger.pid).create_time() - 3600
        content = {"pid": stranger.pid, "created": created, "port": None}
        record_path(home, "clock").parent.mkdir()
        record_path(home, "clock").write_text(
            json.dumps(content | {"fingerprint": "", "since": ""})
        )

        assert recorded(home, "clock").process() is None
        assert stop(home, ["clock"], signal.SIGTERM, 1) == []
        assert stranger.poll() is None
        stranger.kill()


def test_a_service_that_ends_while_starting_shows_the_end_of_its_log(home):
    dying = service("print('no such thing as a clock'); raise SystemExit(3)", answers=lambda _: 0)

    with pytest.raises(PlatformFailed, match=r"clock: exited with code 3.*(\n.*)*no such thing"):
        start(home, dying)

    assert recorded(home, "clock") is None


def test_a_service_that_never_answers_is_given_up_and_ended(home):
    silent = service(FAMILY, answers=lambda _: False, start_seconds=0.3)

    with pytest.raises(PlatformFailed, match=r"no response from nowhere within 0 s"):
        start(home, silent)

    assert recorded(home, "clock") is None


@pytest.mark.allow_hosts(["127.0.0.1"])
def test_a_taken_port_is_named_with_its_owner(home, listener):
    with pytest.raises(
        PlatformFailed, match=rf"port {listener} is in use by process {os.getpid()}"
    ):
        start(home, service("pass", port=listener))


@pytest.mark.allow_hosts(["127.0.0.1"])
def test_a_process_on_the_same_port_of_another_address_is_not_its_owner(listener):
    code = f"""
import socket, time
with socket.create_server(("127.0.0.2", {listener})):
    print("listening", flush=True)
    time.sleep(60)
"""
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        try:
            assert other.stdout.readline() == "listening\n"
            assert port_owner(listener).startswith(f"process {os.getpid()} ")
        finally:
            other.kill()


@pytest.mark.allow_hosts(["127.0.0.1"])
def test_a_free_port_has_no_owner(listener):
    assert port_owner(listener) is not None
    assert port_owner(next(p for p in range(19230, 19239) if p != listener)) is None


def test_stopping_ends_the_children_of_a_service_too(home):
    start(home, service(FAMILY))
    leader = recorded(home, "clock").process()
    deadline = time.monotonic() + 5
    while not (children := leader.children()) and time.monotonic() < deadline:
        time.sleep(0.02)

    assert stop(home, ["clock"], signal.SIGTERM, 5) == ["clock"]
    assert children
    assert not [child for child in children if child.is_running()]


def test_the_orphans_of_a_killed_service_are_ended(home):
    start(home, service(FAMILY))
    leader = recorded(home, "clock").process()
    deadline = time.monotonic() + 5
    while not (children := leader.children()) and time.monotonic() < deadline:
        time.sleep(0.02)
    leader.kill()
    leader.wait(5)

    assert stop(home, ["clock"], signal.SIGTERM, 5) == []
    assert children
    assert not [child for child in children if child.is_running()]


def test_a_service_that_does_not_listen_is_killed(home):
    start(home, service(DEAF, answers=lambda _: "deaf" in log_path(home, "clock").read_text()))
    process = recorded(home, "clock").process()
    began = time.monotonic()

    stop(home, ["clock"], signal.SIGTERM, 0.3)

    assert not process.is_running()
    assert time.monotonic() - began < 5


def test_a_changed_environment_changes_the_fingerprint():
    one = service("pass")
    other = service("pass", environment=inherited_environment() | {"WANDLE_LIVE": "1"})

    assert one.fingerprint == service("pass").fingerprint
    assert one.fingerprint != other.fingerprint


def test_services_inherit_nothing_personal(monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "mine")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")

    inherited = inherited_environment()

    assert "PATH" in inherited
    assert not {"AWS_SECRET_ACCESS_KEY", "PYTHONDONTWRITEBYTECODE"} & inherited.keys()


def test_a_log_that_has_grown_is_rotated(home, monkeypatch):
    monkeypatch.setattr("include.local.processes.MOST_LOG_BYTES", 10)
    log = log_path(home, "clock")
    log.parent.mkdir()
    log.write_text("from long ago\n")

    start(home, service("import time; time.sleep(60)"))

    assert log.with_suffix(".log.1").read_text() == "from long ago\n"
    assert log.read_text() == ""


def test_starting_leaves_nothing_when_interrupted(home):
    seen = []

    def interrupted(_):
        seen.append(recorded(home, "clock").process())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        start(home, service(FAMILY, answers=interrupted))

    assert recorded(home, "clock") is None
    assert not seen[0].is_running()


@pytest.mark.parametrize("command", [up, start_sandbox])
def test_a_platform_of_another_checkout_is_not_taken_over(home, command):
    settings = Settings(_env_file=None, WANDLE_HOME=home, WANDLE_PORT_BASE=19230)
    path = record_path(home, "sandbox")
    start(home, service("import time; time.sleep(60)"))
    content = json.loads(record_path(home, "clock").read_text())
    path.write_text(json.dumps(content | {"checkout": "/home/ada/wandle"}))

    with pytest.raises(
        PlatformFailed, match=r"in use by the checkout /home/ada/wandle, whose sand"
    ):
        command(settings)

    assert content["checkout"] == str(CHECKOUT)
    assert recorded(home, "clock").process() is not None  # type: ignore[union-attr]
    assert not (home / "secrets.json").exists()
