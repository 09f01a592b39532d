"""The state folder: secrets made once, addresses of its own, a settings file for everybody else."""

import stat
from datetime import date

import pytest

from include.local.home import SANDBOX_HOSTS, read_json, write_private
from include.local.services.airflow import airflow_environment
from include.local.state import prepare, read_secrets, set_as_of
from include.settings import Settings, WrongSetting
from sandbox.app import RECORDED


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(_env_file=None, WANDLE_HOME=tmp_path / "home", WANDLE_PORT_BASE=19230)


def test_secrets_are_made_once(settings):
    first = prepare(settings)
    second = prepare(settings)

    assert first == second
    assert len(set(read_secrets(settings.home).values())) == len(read_secrets(settings.home))


def test_two_state_folders_share_no_secret(settings, tmp_path):
    other = Settings(_env_file=None, WANDLE_HOME=tmp_path / "other", WANDLE_PORT_BASE=19230)

    prepare(settings)
    prepare(other)

    ours = set(read_secrets(settings.home).values())
    assert ours.isdisjoint(read_secrets(other.home).values())


@pytest.mark.parametrize("name", ["wandle.env", "secrets.json", "secrets.copy.json"])
def test_files_with_secrets_are_readable_only_by_their_owner(settings, name):
    prepare(settings)

    assert stat.S_IMODE((settings.home / name).stat().st_mode) == 0o600


def test_the_settings_file_gives_another_process_the_same_settings(settings, monkeypatch):
    local = prepare(settings)
    for field in Settings.model_fields.values():
        monkeypatch.delenv(str(field.alias), raising=False)
    monkeypatch.setenv("WANDLE_HOME", str(settings.home))

    assert Settings.read() == local


def test_lineage_goes_to_a_file_of_the_folder_unless_a_server_is_named(settings):
    server = settings.model_copy(update={"lineage_url": "https://marquez.example"})

    assert prepare(settings).lineage_url == (settings.home / "lineage.jsonl").as_uri()
    assert prepare(server).lineage_url == "https://marquez.example"


def test_addresses_follow_the_port_base_and_passwords_stay(settings):
    before = prepare(settings)
    moved = prepare(settings.model_copy(update={"port_base": 19240}))

    assert moved.loader_dsn == before.loader_dsn.replace(":19233/", ":19243/")
    assert "19243" in (settings.home / "wandle.env").read_text()


def test_a_persons_own_credentials_never_reach_the_platform(settings):
    polluted = settings.model_copy(
        update={"s3_access_key": "MINE", "loader_dsn": "postgresql://me"}
    )

    local = prepare(polluted)

    assert local.s3_access_key != "MINE"
    assert "postgresql://me" not in (settings.home / "wandle.env").read_text()


def test_the_sandboxs_day_is_fixed_until_it_is_moved(settings):
    prepare(settings)
    made = read_json(settings.home / "sandbox.json")
    set_as_of(settings, date(2026, 12, 24))
    prepare(settings)

    moved = read_json(settings.home / "sandbox.json")
    assert moved == made | {"as_of": "2026-12-24"}


def test_a_file_half_written_by_a_crash_counts_as_missing(tmp_path):
    (tmp_path / "run.json").write_text('{"pid": 12')

    assert read_json(tmp_path / "run.json") is None


def test_a_private_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "private"
    write_private(path, "before")

    with pytest.raises(UnicodeEncodeError):
        write_private(path, "after \ud800")

    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_tasks_see_no_superuser(settings):
    local = prepare(settings)
    environment = airflow_environment(local)

    admin_password = read_secrets(settings.home)["wandle_admin"]
    assert "WANDLE_ADMIN_DSN" not in environment
    assert not [name for name, value in environment.items() if admin_password in value]


def test_tasks_of_the_live_mode_know_no_sandbox(settings):
    local = prepare(settings.model_copy(update={"live": True}))

    assert local.sandbox_hosts == ""
    environment = airflow_environment(local)

    assert environment["WANDLE_LIVE"] == "1"
    assert environment["WANDLE_SANDBOX_URL"] == ""


@pytest.mark.parametrize("payloads", [None, "it's a $HOME of \\\\ recordings # 1"])
def test_the_settings_file_says_where_the_data_come_from(settings, tmp_path, monkeypatch, payloads):
    folder = tmp_path / payloads if payloads else None
    local = prepare(settings.model_copy(update={"payloads": folder}))
    for field in Settings.model_fields.values():
        monkeypatch.delenv(str(field.alias), raising=False)
    monkeypatch.setenv("WANDLE_HOME", str(settings.home))

    assert Settings.read() == local
    assert Settings.read().origin == ("recorded" if payloads else "sandbox")


def test_a_state_folder_is_not_prepared_for_another_origin(settings):
    prepare(settings)
    before = (settings.home / "wandle.env").read_bytes()

    with pytest.raises(WrongSetting, match="belongs to the sandbox's generated data"):
        prepare(settings.model_copy(update={"live": True}))

    assert (settings.home / "wandle.env").read_bytes() == before


def test_the_hosts_of_the_sandbox_are_those_that_it_mounts():
    assert set(SANDBOX_HOSTS) == set(RECORDED)


def test_a_source_database_may_be_one_that_the_environment_names(settings, monkeypatch):
    url = "mysql://reader:p%40ss@db.example.org/cases?ssl_ca=/ca.pem"
    monkeypatch.setenv("WANDLE_CONNECTION_SERVICE_REQUESTS", url)
    local = prepare(settings)

    assert airflow_environment(local)["AIRFLOW_CONN_SERVICE_REQUESTS"] == url
    assert local.connection("service_requests") == url
    assert "p%40ss" not in (settings.home / "wandle.env").read_text()
