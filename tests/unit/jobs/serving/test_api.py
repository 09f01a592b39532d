"""The process of the API understands what `wandle serve` starts it with, and nothing else."""

from __future__ import annotations

import json

import pytest

from include.errors import PermanentError
from include.jobs.serving.api import Served, _keys, command, parsed
from include.settings import Settings

KEY = {"name": "dashboard", "sha256": "0" * 64, "per_second": 100, "burst": 200}


@pytest.mark.parametrize(
    "how",
    [
        Served(),
        Served("::1", 9000, 3, 0.5, 7, 2, keys=True, log=False, log_clients=True),
    ],
)
def test_a_process_serves_as_its_command_line_says(how):
    assert parsed(command(how)[3:]) == how


def test_an_omitted_option_has_its_default_and_the_last_value_counts():
    assert parsed(["--host=::", "--keys", "--no-keys"]) == Served(host="::")


@pytest.mark.parametrize("wrong", ["--wrokers=2", "--workers=two", "place"])
def test_a_misspelt_option_ends_it(wrong, capsys):
    with pytest.raises(SystemExit):
        parsed([wrong])

    assert wrong.split("=")[0] in capsys.readouterr().err


def test_a_container_gets_its_keys_from_the_environment(tmp_path):
    settings = Settings(_env_file=None, WANDLE_HOME=tmp_path, WANDLE_API_KEYS=json.dumps([KEY]))

    assert [key.name for key in _keys(settings).values()] == ["dashboard"]
    assert KEY["sha256"] not in repr(settings)


def test_missing_keys_are_an_error_that_says_where_they_may_be(tmp_path):
    with pytest.raises(PermanentError, match="WANDLE_API_KEYS"):
        _keys(Settings(_env_file=None, WANDLE_HOME=tmp_path))
