"""The secrets that sources log in with, in Secrets Manager: set, listed, and read."""

from __future__ import annotations

import json

import pytest

from include.api.keys import Key
from include.api.limits import Rate
from include.errors import PermanentError
from include.extract.network.deadline import Fetch
from include.jobs.logins import login_of
from include.jobs.serving import api
from include.local import source_secrets
from include.settings import Settings
from include.sources.limits import DEFAULT
from include.sources.model import contract
from tests.aws.conftest import Aws

NAME = "wandle/dev/sources/breathe_london"
VALUE = "c4n4ry-on-aws-0123456789"
SENSORS = contract("air_sensors")


@pytest.fixture
def settings(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("WANDLE_LIVE", "1")
    monkeypatch.delenv("WANDLE_JOB_ROLE", raising=False)
    for name in ("breathe_london", "waste_contractor"):
        aws.client("secretsmanager").create_secret(Name=f"wandle/dev/sources/{name}")
    return Settings.read()


def read(settings: Settings) -> object:
    login = login_of(SENSORS, settings, "api", lambda name: pytest.fail("asked Airflow"))
    assert login is not None
    return login.credentials("air_sensors", Fetch(DEFAULT).request()).headers


def test_a_secret_without_a_value_says_how_to_set_it(settings: Settings) -> None:
    with pytest.raises(PermanentError, match="wandle secrets set breathe_london"):
        read(settings)


def test_a_secret_that_the_command_sets_is_read_and_listed_without_its_value(
    aws: Aws, settings: Settings
) -> None:
    where = source_secrets.set_secret(settings, "breathe_london", VALUE, "")

    assert where == NAME
    stored = aws.client("secretsmanager").get_secret_value(SecretId=NAME)["SecretString"]
    assert json.loads(stored) == {"conn_type": "http", "login": "", "password": VALUE}
    assert read(settings) == {"X-API-KEY": VALUE}
    found = {item["secret"]: item["set"] for item in source_secrets.listed(settings)}
    assert found == {"breathe_london": True, "waste_contractor": False}


@pytest.mark.parametrize("value", ["not JSON", "[]", '{"conn_type": "postgres", "password": "p"}'])
def test_what_is_not_a_secret_of_a_source_is_refused_without_its_value(
    aws: Aws, settings: Settings, value: str
) -> None:
    aws.client("secretsmanager").put_secret_value(SecretId=NAME, SecretString=value)

    with pytest.raises(PermanentError, match="is not a source's secret") as said:
        read(settings)

    assert value not in str(said.value)


def test_keys_of_the_read_api_are_set_where_it_reads_them(aws: Aws, settings: Settings) -> None:
    client = aws.client("secretsmanager")
    client.create_secret(Name="wandle/dev/api_keys")
    key = {"name": "dashboard", "sha256": "0" * 64, "per_second": 5, "burst": 9}

    where = source_secrets.set_secret(settings, "api_keys", json.dumps([key], indent=1), "")

    assert where == "wandle/dev/api_keys"
    assert api._keys(settings) == {"0" * 64: Key("dashboard", Rate(5, 9))}
    with pytest.raises(PermanentError, match="malformed"):
        source_secrets.set_secret(settings, "api_keys", "not-a-list", "")
    assert list(api._keys(settings)) == ["0" * 64]


def test_terraform_removes_secrets(settings: Settings) -> None:
    with pytest.raises(PermanentError, match="terraform apply"):
        source_secrets.remove_secret(settings, "breathe_london")
