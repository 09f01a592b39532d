"""Another user of a host with containers, and an image or package that is not what it was."""

from __future__ import annotations

import os
import re
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from include.local.containers import prepare
from include.local.services.airflow import airflow_environment, shared_environment
from include.local.state import prepare as prepare_embedded
from include.settings import CHECKOUT, Settings

OTHERS = stat.S_IRWXO
COMPOSE = yaml.safe_load((CHECKOUT / "docker-compose.yaml").read_text(encoding="utf-8"))
DOCKERFILE = (CHECKOUT / "Dockerfile").read_text(encoding="utf-8")
USER_DATA = CHECKOUT / "terraform/modules/airflow_host/user_data.sh.tftpl"


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    """The least careful one."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(_env_file=None, WANDLE_HOME=tmp_path / "admin", WANDLE_PORT_BASE=23340)


def open_to_others(folder: Path) -> list[str]:
    paths = [*folder.iterdir(), *(below for each in folder.iterdir() for below in each.rglob("*"))]
    assert len(paths) > 5
    return sorted(str(path.relative_to(folder)) for path in paths if path.stat().st_mode & OTHERS)


def test_the_volumes_are_open_to_nobody_else(tmp_path, settings):
    volumes = tmp_path / "volumes"
    (volumes / "postgres").mkdir(mode=0o700, parents=True)

    prepare(settings, volumes)

    # PostgreSQL runs as another user, and nothing else mounts its volume.
    assert open_to_others(volumes) == ["postgres/password"]
    assert open_to_others(settings.home.parent) == ["volumes", "volumes/postgres/password"]


def test_volumes_that_an_earlier_version_left_open_are_closed(tmp_path, settings):
    volumes = tmp_path / "volumes"
    for name in ("home", "logs", "redis", "s3/buckets/wandle", "sandbox", "postgres"):
        (volumes / name).mkdir(mode=0o777, parents=True)

    prepare(settings, volumes)

    assert open_to_others(volumes) == ["postgres", "postgres/password"]


def test_the_folders_of_the_image_are_open_to_nobody_else():
    made = re.findall(r"install -d -o airflow -g 0 -m (\d+) ((?:[^&\n\\]|\\\n)+)", DOCKERFILE)

    modes = {path: int(mode, 8) for mode, paths in made for path in paths.split() if path != "\\"}
    assert modes.pop("/volumes/postgres") == 0o1777
    mounted = {
        volume.split(":")[1]
        for service in COMPOSE["services"].values()
        if service.get("image", "").startswith("${WANDLE")
        for volume in service.get("volumes", ())
    }
    assert {"/wandle", "/admin", "/opt/airflow/logs"} <= mounted
    assert set(modes) >= mounted - {"/volumes/postgres", "/sandbox"}
    assert set(modes.values()) == {0o700}


def test_landings_in_the_volume_are_written_for_one_user():
    (command,) = COMPOSE["services"]["s3"]["command"]

    assert command.startswith("umask 077; ")


def test_task_logs_are_written_for_one_user(tmp_path, settings):
    wanted = {
        "AIRFLOW__LOGGING__FILE_TASK_HANDLER_NEW_FOLDER_PERMISSIONS": "0o700",
        "AIRFLOW__LOGGING__FILE_TASK_HANDLER_NEW_FILE_PERMISSIONS": "0o600",
    }
    local = airflow_environment(prepare_embedded(settings))

    assert shared_environment().items() >= wanted.items()
    assert local.items() >= wanted.items()
    assert "include/local/airflow.env" in COMPOSE["x-airflow"]["env_file"]


def host_script(folder: Path) -> Path:
    """The user data of a host, rendered; sourcing it only defines its functions."""
    text = re.sub(r"%\{[^}]*\}", "", USER_DATA.read_text(encoding="utf-8"))
    text = re.sub(r"(?<!\$)\$\{(\w+)\}", r"value of \1", text).replace("$${", "${")
    script = folder / "user_data.sh"
    script.write_text(text, encoding="utf-8")
    return script


def test_the_settings_of_a_host_are_open_only_to_root(tmp_path):
    stack, certificates = tmp_path / "stack", tmp_path / "ca"
    steps = """
      docker() { [ "$1" != cp ] || touch "$3"; }
      curl() { touch "$CA_FOLDER/rds-ca.pem"; }
      unpack_stack; fetch_certificates; write_settings; write_settings
    """
    subprocess.run(
        ("/bin/bash", "-c", f"source {host_script(tmp_path)}; umask 0; {steps}"),
        env={
            "PATH": os.environ["PATH"],
            "HOME_OF_STACK": str(stack),
            "CA_FOLDER": str(certificates),
        },
        check=True,
        capture_output=True,
    )

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (stack, stack / ".env")}
    assert modes == {"stack": 0o700, ".env": 0o600}
    assert "WANDLE_ADMIN_SECRET" in (stack / ".env").read_text()
    # The containers' user reads it.
    assert stat.S_IMODE((certificates / "rds-ca.pem").stat().st_mode) == 0o644


def images() -> dict[str, str]:
    """Every image that is not ours, by where it is named."""
    found = {
        name: service["image"].partition(":-")[2].rstrip("}")
        for name, service in COMPOSE["services"].items()
        if "WANDLE" not in service.get("image", "WANDLE")
    }
    found |= dict(re.findall(r"^(COMPOSE_IMAGE)=(.*)$", USER_DATA.read_text(), re.M))
    return found


def test_every_image_has_an_exact_tag():
    assert set(images()) == {"postgres", "redis", "s3", "COMPOSE_IMAGE"}
    assert [
        image for image in images().values() if not re.search(r":\d+\.\d+(\.\d+)?(-cli)?$", image)
    ] == []
    assert re.search(r"^ARG AIRFLOW_VERSION=\d+\.\d+\.\d+$", DOCKERFILE, re.M)


def test_every_image_can_be_pinned_by_digest_and_one_command_finds_them_all(tmp_path):
    docker = tmp_path / "docker"
    docker.write_text(
        '#!/bin/sh\n[ "$3" = inspect ] && echo "sha256:$(echo "$6" | tr -c a-z0-9 _)"\n'
    )
    docker.chmod(0o700)

    found = subprocess.run(
        (CHECKOUT / ".ci" / "digests",),
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    settings = dict(line.split("=", 1) for line in found.splitlines())
    named = set(re.findall(r"\$\{([A-Z]+_IMAGE):-", (CHECKOUT / "docker-compose.yaml").read_text()))
    named = {name for name in named if not name.startswith("WANDLE")}
    arguments = set(re.findall(r"^ARG (\w+_DIGEST|\w+_BASE)=", DOCKERFILE, re.M))
    assert len(named) == len(arguments) == 3
    assert set(settings) == named | arguments
    assert all("@sha256:" in value for value in settings.values())
    stages = re.findall(r"^FROM (\S+)", DOCKERFILE, re.M)
    foreign = [stage for stage in stages if "/" in stage or "$" in stage]
    assert len(foreign) == 4
    assert all(any(f"${{{name}}}" in stage for name in arguments) for stage in foreign)


@pytest.mark.parametrize(
    "path",
    [*sorted(CHECKOUT.glob("requirements*.txt")), CHECKOUT / "template" / "requirements.txt"],
    ids=lambda path: str(path.relative_to(CHECKOUT)),
)
def test_every_package_has_hashes(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    packages = [number for number, line in enumerate(lines) if "==" in line]

    assert packages
    assert [
        lines[n] for n in packages if not lines[n + 1].strip().startswith("--hash=sha256:")
    ] == []


def test_there_is_no_lock_file_without_hashes_and_no_tool_outside_of_them():
    makefile = (CHECKOUT / "Makefile").read_text(encoding="utf-8")

    assert {path.name for path in CHECKOUT.glob("requirements*.txt")} == {
        "requirements.txt",
        *(
            f"requirements-{name}.txt"
            for name in ("api", "bench", "checkov", "docs", "extract", "local")
        ),
    }
    assert "uv tool run" not in makefile
    assert "uvx" not in makefile
    assert makefile.count("pip sync") == makefile.count("--require-hashes") - 1 == 4
