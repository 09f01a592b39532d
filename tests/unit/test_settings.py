"""Settings: from the environment, then from the state folder's file; a missing one is named."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from include.settings import Settings, WrongSetting


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path) -> Path:
    """An empty state folder, and nothing of this machine's own settings."""
    for name in list(os.environ):
        if name.startswith(("WANDLE_", "AWS_", "AIRFLOW_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("WANDLE_HOME", str(tmp_path))
    return tmp_path


def test_the_file_in_the_state_folder_is_read(home):
    (home / "wandle.env").write_text("WANDLE_BUCKET=rivers\nWANDLE_LOADER_DSN=postgresql://a/b\n")

    settings = Settings.read()

    assert (settings.bucket, settings.loader_dsn) == ("rivers", "postgresql://a/b")


def test_the_environment_wins_over_the_file(home, monkeypatch):
    (home / "wandle.env").write_text("WANDLE_BUCKET=rivers\n")
    monkeypatch.setenv("WANDLE_BUCKET", "lakes")

    assert Settings.read().bucket == "lakes"


def test_what_is_not_set_is_named_with_what_to_do():
    with pytest.raises(WrongSetting, match=r"WANDLE_LOADER_DSN is not set\. Run `wandle up`"):
        Settings.read().need("loader_dsn")


@pytest.mark.parametrize(
    ("name", "value"),
    [("WANDLE_PORT_BASE", "80"), ("WANDLE_PORT_BASE", "eighty"), ("WANDLE_LIVE", "perhaps")],
)
def test_a_wrong_value_is_named_by_its_variable(monkeypatch, name, value):
    monkeypatch.setenv(name, value)

    with pytest.raises(WrongSetting, match=f"settings: {name}: .*Fix the variable"):
        Settings.read()


@pytest.mark.parametrize(("value", "live"), [("1", True), ("0", False), ("", False)])
def test_live_is_off_unless_it_is_on(monkeypatch, value, live):
    monkeypatch.setenv("WANDLE_LIVE", value)

    assert Settings.read().live is live


@pytest.mark.parametrize("empty", ["WANDLE_PAYLOADS", "WANDLE_HOME"])
def test_an_empty_folder_is_none_that_was_given(monkeypatch, empty):
    monkeypatch.setenv(empty, "")

    settings = Settings.read()

    assert settings.payloads is None
    assert settings.home.is_absolute()


def test_folders_are_absolute(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDLE_PAYLOADS", "payloads")

    assert Settings.read().payloads == tmp_path / "payloads"


def test_secrets_are_not_shown(monkeypatch):
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "WANDLE_LOADER_DSN",
                 "WANDLE_ADMIN_DSN", "AIRFLOW_PASSWORD"):  # fmt: skip
        monkeypatch.setenv(name, "s3cret")

    assert "s3cret" not in repr(Settings.read())


def test_the_sandbox_mounts_each_api_under_its_host(monkeypatch):
    monkeypatch.setenv("WANDLE_SANDBOX_URL", "http://127.0.0.1:8082")

    url = Settings.read().api_url("https://data.police.uk/api")

    assert url == "http://127.0.0.1:8082/data.police.uk/api"


def test_live_asks_the_api_itself(monkeypatch):
    monkeypatch.setenv("WANDLE_LIVE", "1")
    monkeypatch.setenv("WANDLE_SANDBOX_URL", "http://127.0.0.1:8082")

    assert Settings.read().api_url("https://data.police.uk/api") == "https://data.police.uk/api"


def test_without_a_sandbox_the_live_api_is_never_asked_by_accident():
    with pytest.raises(WrongSetting, match="WANDLE_SANDBOX_URL is not set"):
        Settings.read().api_url("https://data.police.uk/api")


def test_the_version_of_the_code_is_its_commit_unless_given(monkeypatch):
    assert Settings.read().code_version
    monkeypatch.setenv("WANDLE_CODE_VERSION", "v1")

    assert Settings.read().code_version == "v1"
