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


@pytest.mark.parametrize("prefix", ["dev_", "_", "a1", "x" * 20, ""])
def test_a_prefix_of_schemas_is_a_short_identifier(monkeypatch, prefix):
    monkeypatch.setenv("WANDLE_SCHEMA_PREFIX", prefix)

    assert Settings.read().schema_prefix == prefix


@pytest.mark.parametrize(
    "prefix", ["Dev_", "1a", "x" * 21, "a-b", "a b", 'a"', "a\n", "pg_mine", "diff_", "é_"]
)
def test_any_other_prefix_of_schemas_is_refused(monkeypatch, prefix):
    monkeypatch.setenv("WANDLE_SCHEMA_PREFIX", prefix)

    with pytest.raises(WrongSetting, match=r"WANDLE_SCHEMA_PREFIX: .*Fix the variable"):
        Settings.read()


@pytest.mark.parametrize(("value", "live"), [("1", True), ("0", False), ("", False)])
def test_live_is_off_unless_it_is_on(monkeypatch, value, live):
    monkeypatch.setenv("WANDLE_LIVE", value)

    assert Settings.read().live is live


@pytest.mark.parametrize("empty", ["WANDLE_PAYLOADS", "WANDLE_HOME"])
def test_an_empty_folder_counts_as_not_given(monkeypatch, empty):
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


def test_live_requests_the_api_itself(monkeypatch):
    monkeypatch.setenv("WANDLE_LIVE", "1")
    monkeypatch.setenv("WANDLE_SANDBOX_URL", "http://127.0.0.1:8082")

    assert Settings.read().api_url("https://data.police.uk/api") == "https://data.police.uk/api"


def test_without_a_sandbox_the_live_api_is_never_requested_by_accident():
    with pytest.raises(WrongSetting, match="WANDLE_SANDBOX_URL is not set"):
        Settings.read().api_url("https://data.police.uk/api")


def test_a_host_that_the_sandbox_does_not_serve_is_requested_itself(monkeypatch):
    monkeypatch.setenv("WANDLE_SANDBOX_URL", "http://127.0.0.1:8082")
    monkeypatch.setenv("WANDLE_SANDBOX_HOSTS", "data.police.uk,www.gov.uk")
    settings = Settings.read()

    assert settings.api_url("https://www.gov.uk/x") == "http://127.0.0.1:8082/www.gov.uk/x"
    assert settings.api_url("https://gov.uk/x") == "https://gov.uk/x"


def test_a_source_with_a_sample_is_requested_in_the_sandbox_and_no_other_of_its_host(monkeypatch):
    monkeypatch.setenv("WANDLE_SANDBOX_URL", "http://127.0.0.1:8082")
    monkeypatch.setenv("WANDLE_SANDBOX_HOSTS", "data.police.uk")
    settings = Settings.read()
    file = settings.sample("loans", "https://libraries.test/open")
    file.parent.mkdir(parents=True)
    file.touch()

    base_url = "https://libraries.test/open"
    assert settings.api_url(base_url, "loans") == "http://127.0.0.1:8082/libraries.test/open"
    assert settings.api_url(base_url, "members") == base_url


def belongs_to(origin: str, home: Path, payloads: str = "") -> None:
    home.mkdir(parents=True, exist_ok=True)
    lines = [f"WANDLE_ORIGIN={origin}", *([f"WANDLE_PAYLOADS='{payloads}'"] if payloads else [])]
    (home / "wandle.env").write_text("\n".join(lines))


@pytest.mark.parametrize("origin", ["sandbox", "live", "recorded"])
def test_a_command_uses_the_origin_of_its_state_folder(origin):
    belongs_to(origin, Settings.read().home, "/payloads" if origin == "recorded" else "")

    settings = Settings.read()

    assert settings.origin == origin
    settings.refuse_other_origin()


@pytest.mark.parametrize(
    ("origin", "variables", "second"),
    [
        ("sandbox", {"WANDLE_LIVE": "1"}, "-live WANDLE_PORT_BASE=8090 WANDLE_LIVE=1 wandle up`"),
        ("recorded", {"WANDLE_LIVE": "1"}, "WANDLE_LIVE=1 wandle up`"),
        ("live", {"WANDLE_LIVE": "0"}, "-sandbox WANDLE_PORT_BASE=8090 wandle up`"),
        ("live", {"WANDLE_LIVE": ""}, "-sandbox WANDLE_PORT_BASE=8090 wandle up`"),
        ("live", {"WANDLE_PAYLOADS": "/p q"}, "WANDLE_PAYLOADS='/p q' wandle up`"),
        (
            "sandbox",
            {"WANDLE_PAYLOADS": "/p"},
            "-recorded WANDLE_PORT_BASE=8090 WANDLE_PAYLOADS=/p",
        ),
    ],
)
def test_another_origin_is_refused_with_the_command_for_a_second_state_folder(
    monkeypatch, origin, variables, second
):
    home = Settings.read().home
    belongs_to(origin, home, "/payloads" if origin == "recorded" else "")
    monkeypatch.setenv("WANDLE_SANDBOX_URL", "http://127.0.0.1:8082")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(WrongSetting) as caught:
        Settings.read().api_url("https://data.police.uk/api")

    assert f"the state folder {home} belongs to" in str(caught.value)
    assert f"`WANDLE_HOME={home}-" in str(caught.value)
    assert second in str(caught.value)
    assert f"unset {next(iter(variables))}" in str(caught.value)


def test_a_container_that_is_told_not_to_be_live_may_replay_recordings(monkeypatch):
    belongs_to("recorded", Settings.read().home, "/payloads")
    monkeypatch.setenv("WANDLE_LIVE", "")

    settings = Settings.read()

    assert (settings.origin, str(settings.payloads)) == ("recorded", "/payloads")
    settings.refuse_other_origin()


def test_the_version_of_the_code_is_its_commit_unless_given(monkeypatch):
    assert Settings.read().code_version
    monkeypatch.setenv("WANDLE_CODE_VERSION", "v1")

    assert Settings.read().code_version == "v1"


def test_settings_are_read_again_when_the_environment_or_the_file_changes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("WANDLE_HOME", str(tmp_path))
    monkeypatch.delenv("WANDLE_SCHEMA_PREFIX", raising=False)
    before = Settings.read()
    assert Settings.read() is before

    (tmp_path / "wandle.env").write_text("WANDLE_SCHEMA_PREFIX=anna_\n")
    assert Settings.read().schema_prefix == "anna_"
    (tmp_path / "wandle.env").write_text("WANDLE_SCHEMA_PREFIX=bertha_\n")
    assert Settings.read().schema_prefix == "bertha_"
    monkeypatch.setenv("WANDLE_SCHEMA_PREFIX", "carl_")
    assert Settings.read().schema_prefix == "carl_"
    (tmp_path / "wandle.env").unlink()
    assert Settings.read().schema_prefix == "carl_"


def test_settings_are_read_again_from_another_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("WANDLE_HOME", str(tmp_path / "none"))
    monkeypatch.setenv("WANDLE_PAYLOADS", "recorded")
    monkeypatch.chdir(tmp_path)
    assert Settings.read().payloads == tmp_path / "recorded"

    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    assert Settings.read().payloads == tmp_path / "other" / "recorded"
