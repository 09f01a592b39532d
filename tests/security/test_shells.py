"""`wandle up` from another terminal, login or cron job restarts nothing."""

from __future__ import annotations

import pytest

from include.local.processes import INHERITED, OF_A_SHELL, Service
from include.local.services import airflow, object_store, postgres
from include.local.state import prepare
from include.settings import Settings

OF_THE_NETWORK = set(INHERITED) - set(OF_A_SHELL)


@pytest.fixture
def settings(tmp_path) -> Settings:
    return prepare(Settings(_env_file=None, WANDLE_HOME=tmp_path / "home", WANDLE_PORT_BASE=23330))


def every_service(settings: Settings) -> list[Service]:
    return [
        object_store.s3(settings),
        object_store.sandbox(settings),
        postgres.service(settings),
        *airflow.services(settings),
    ]


def fingerprints(settings: Settings) -> dict[str, str]:
    found = {service.name: service.fingerprint for service in every_service(settings)}
    assert len(found) == 7
    return found


@pytest.mark.parametrize("name", OF_A_SHELL)
def test_a_variable_of_the_shell_changes_no_service(settings, monkeypatch, name):
    monkeypatch.delenv(name, raising=False)
    before = fingerprints(settings)

    monkeypatch.setenv(name, "/another" if name != "PATH" else "/usr/bin:/bin:/another")

    assert fingerprints(settings) == before


@pytest.mark.parametrize("name", sorted(OF_THE_NETWORK))
def test_a_different_proxy_or_certificate_changes_the_services_that_use_it(
    settings, monkeypatch, name
):
    monkeypatch.delenv(name, raising=False)
    before = fingerprints(settings)

    monkeypatch.setenv(name, "/etc/another")

    assert fingerprints(settings)["scheduler"] != before["scheduler"]
