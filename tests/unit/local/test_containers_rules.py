"""House rules of docker-compose*.yaml and the Dockerfile, each shown to fail where it should."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from include.jobs.serving.api import parsed
from include.settings import CHECKOUT, Settings

Service = dict[str, Any]

# Containers that may be what the rule forbids: service -> reason. There is none.
MAY_BE_ROOT: dict[str, str] = {}
MAY_WRITE_ITS_ROOT: dict[str, str] = {}
# What of the host may be mounted, and only to be read: source -> reason.
MAY_BE_MOUNTED = {
    **dict.fromkeys(
        ("./dags", "./include", "./plugins", "./dbt_project"),
        "docker-compose.edit.yaml: the source, so that an edited file is what runs next",
    ),
    "/etc/wandle": "docker-compose.aws.yaml: the certificates of the database",
}
# A variable of Compose that has a default.
DEFAULT = re.compile(r"\$\{[A-Z_]+:-(.*?)\}")
ONE_OFF = {"prepare", "migrate", "demo"}


def runs_as_root(name: str, service: Service) -> bool:
    user = str(service.get("user", "root")).split(":")[0]
    return user in ("", "0", "root") and name not in MAY_BE_ROOT


def writes_its_root(name: str, service: Service) -> bool:
    return not service.get("read_only") and name not in MAY_WRITE_ITS_ROOT


def keeps_capabilities(name: str, service: Service) -> bool:
    gained = service.get("cap_add") or service.get("privileged")
    return service.get("cap_drop") != ["ALL"] or bool(gained)


def may_gain_privileges(name: str, service: Service) -> bool:
    return "no-new-privileges:true" not in service.get("security_opt", [])


def is_reached_from_outside(name: str, service: Service) -> bool:
    """Unless a host's `.env` says so, as on AWS; ports as they are written, or as rendered."""
    ports = [
        port.get("host_ip", "") if isinstance(port, dict) else DEFAULT.sub(r"\1", str(port))
        for port in service.get("ports") or []
    ]
    return not all(port.partition(":")[0] == "127.0.0.1" for port in ports)


def has_no_limits(name: str, service: Service) -> bool:
    return not (service.get("mem_limit") and service.get("pids_limit"))


def fills_the_disk_with_logs(name: str, service: Service) -> bool:
    return "max-size" not in service.get("logging", {}).get("options", {})


def is_not_checked(name: str, service: Service) -> bool:
    return name not in ONE_OFF and "test" not in (service.get("healthcheck") or {})


def mounts_the_host(name: str, service: Service) -> bool:
    """Writable, or without a reason; volumes as they are written, or as Compose renders them."""
    for volume in service.get("volumes") or []:
        if isinstance(volume, dict):
            source, read_only = volume["source"], volume.get("read_only", False)
        else:
            source, read_only = volume.split(":")[0], volume.endswith(":ro")
        of_host = source.startswith((".", "/", "~"))
        if of_host and not (read_only and source in MAY_BE_MOUNTED):
            return True
    return False


def floats(name: str, service: Service) -> bool:
    """An image without a version, or with the moving one; ours is built from this checkout."""
    default = re.sub(r"\$\{[A-Z_]+:-(.*)\}", r"\1", service["image"])
    return "build" not in service and not re.search(r":[0-9][^:/]*$", default)


RULES: list[tuple[Callable[[str, Service], bool], Service]] = [
    (runs_as_root, {"user": "0:0"}),
    (writes_its_root, {"read_only": False}),
    (keeps_capabilities, {"cap_add": ["NET_ADMIN"]}),
    (may_gain_privileges, {"security_opt": []}),
    (is_reached_from_outside, {"ports": ["5432:5432"]}),
    (has_no_limits, {"mem_limit": None}),
    (fills_the_disk_with_logs, {"logging": {"driver": "json-file"}}),
    (is_not_checked, {"healthcheck": {}}),
    (mounts_the_host, {"volumes": ["/var/run/docker.sock:/var/run/docker.sock"]}),
    (floats, {"image": "docker.io/library/redis:latest"}),
]


@pytest.fixture(scope="module")
def services() -> dict[str, Service]:
    content = yaml.safe_load((CHECKOUT / "docker-compose.yaml").read_text())
    found: dict[str, Service] = content["services"]
    assert len(found) == 14
    return found


@pytest.mark.parametrize(
    ("broken", "mistake"), RULES, ids=lambda item: getattr(item, "__name__", "")
)
def test_no_container_breaks_a_rule(services, broken, mistake):
    assert [name for name, service in services.items() if broken(name, service)] == []


@pytest.mark.parametrize(
    ("broken", "mistake"), RULES, ids=lambda item: getattr(item, "__name__", "")
)
def test_a_container_that_breaks_the_rule_is_found(services, broken, mistake):
    service = copy.deepcopy(services["redis"]) | mistake

    assert broken("redis", service)


def test_every_volume_is_named(services):
    content = yaml.safe_load((CHECKOUT / "docker-compose.yaml").read_text())
    used = {
        str(volume).split(":")[0]
        for service in services.values()
        for volume in service.get("volumes", [])
    }

    assert used == set(content["volumes"])


def test_only_the_services_that_make_databases_reach_the_superusers_volume(services):
    holders = {
        name
        for name, service in services.items()
        if any(str(volume).startswith("admin:") for volume in service.get("volumes", []))
    }

    assert holders == {"prepare", "migrate"}


def test_live_editing_mounts_the_source_read_only_into_every_container_of_ours(services):
    edit = yaml.safe_load((CHECKOUT / "docker-compose.edit.yaml").read_text())["services"]
    ours = {name for name, service in services.items() if "build" in service}

    assert set(edit) == ours - {"flower", "api"}
    platform = {"dags", "include", "plugins", "dbt_project"}
    for name, service in edit.items():
        folders = {"include", "sandbox"} if name in ("sandbox", "demo") else platform
        assert {*service["volumes"]} == {f"./{each}:/opt/airflow/{each}:ro" for each in folders}


def test_the_image_is_ours_by_version_and_never_roots():
    lines = (CHECKOUT / "Dockerfile").read_text().splitlines()
    version = re.search(r'^version = "(.*)"', (CHECKOUT / "pyproject.toml").read_text(), re.M)
    last_users = [line.split()[1] for line in lines if line.startswith("USER ")]

    assert version is not None
    assert lines.count(f"ARG CODE_VERSION={version[1]}") == 3
    assert last_users == ["0", "50000", "65532:65532", "65532:65532"]
    airflow = re.search(r'"apache-airflow==(.*)"', (CHECKOUT / "pyproject.toml").read_text())
    assert airflow is not None
    assert f"ARG AIRFLOW_VERSION={airflow[1]}" in lines


def test_nothing_but_code_and_locks_is_sent_to_the_builder():
    lines = (CHECKOUT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]

    assert rules[0] == "*"
    assert not [rule for rule in rules if rule.startswith("!.") or "env" in rule]


def test_a_host_on_aws_runs_neither_database_nor_bucket_and_mounts_only_certificates(services):
    class Tagged(yaml.SafeLoader):
        """Compose's own tags, whose content is what counts here."""

    Tagged.add_constructor("!reset", lambda loader, node: None)
    aws = yaml.load((CHECKOUT / "docker-compose.aws.yaml").read_text(), Tagged)["services"]  # noqa: S506

    left_out = {name for name, service in aws.items() if service.get("profiles") == ["not-on-aws"]}
    assert left_out == {"postgres", "s3", "sandbox", "demo"}
    told = {name: service for name, service in aws.items() if "environment" in service}
    assert set(told) == set(services) - left_out - {"redis"}
    for name, service in told.items():
        mounted = [] if name in ("prepare", "api") else ["/etc/wandle:/etc/wandle:ro"]
        assert service.get("volumes", []) == mounted
        admin = service["environment"]["WANDLE_ADMIN_SECRET"]
        assert bool(admin) == (name == "migrate")
    assert not is_reached_from_outside("redis", aws["redis"])


def test_the_editors_container_installs_what_make_installs_and_points_at_what_is_there():
    text = (CHECKOUT / ".devcontainer" / "devcontainer.json").read_text()
    content = json.loads(re.sub(r"^\s*//.*$", "", text, flags=re.M))
    settings = content["customizations"]["vscode"]["settings"]
    schemas = settings["yaml.schemas"]

    assert content["postCreateCommand"] == "make install"
    assert content["remoteUser"] != "root"
    assert content["forwardPorts"] == [Settings.model_fields["port_base"].default]
    for path in settings["python.testing.pytestArgs"]:
        assert (CHECKOUT / path).is_dir()
    assert len(schemas) == 2
    for schema, files in schemas.items():
        assert (CHECKOUT / schema).is_file()
        assert list(CHECKOUT.glob(files))


def test_kubernetes_runs_the_read_api_with_no_more_rights_than_compose(services):
    content = (CHECKOUT / "docs" / "kubernetes-api.yaml").read_text()
    found = {one["kind"]: one["spec"] for one in yaml.safe_load_all(content)}
    pod = found["Deployment"]["template"]["spec"]
    (api,) = pod["containers"]

    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 65532
    assert api["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert parsed(api["args"]).proxies == 1
    assert pod["terminationGracePeriodSeconds"] == int(
        services["api"]["stop_grace_period"].removesuffix("s")
    )
    assert [one["mountPath"] for one in api["volumeMounts"]] == ["/tmp"]
    labels = found["Deployment"]["template"]["metadata"]["labels"]
    assert found["Service"]["selector"] == labels
    assert found["PodDisruptionBudget"]["selector"]["matchLabels"] == labels


def test_kubernetes_sets_what_compose_sets_for_airflow(services):
    values = yaml.safe_load((CHECKOUT / "docs" / "kubernetes-values.yaml").read_text())
    told = {item["name"]: item["value"] for item in values["env"]}
    worker = services["worker"]["environment"]

    assert {name for name in told if name.startswith("AIRFLOW__")} == {
        "AIRFLOW__CELERY__CELERY_CONFIG_OPTIONS",
        "AIRFLOW__CELERY__WORKER_PREFETCH_MULTIPLIER",
        "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT",
    }
    for name, value in told.items():
        if name.startswith("AIRFLOW__"):
            assert worker[name] == value
    assert values["securityContexts"]["pod"]["runAsNonRoot"] is True
    assert "wandle-airflow" in values["extraEnvFrom"]
