"""`wandle secrets`: the value is asked for, kept only for this user, and never printed."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from include import cli
from include.cli import secrets as command
from include.jobs.logins import FILE, kept
from tests.broken import copied
from tests.samples import contract_fields

VALUE = "c4n4ry-of-the-command-0123456789"
Run = Callable[..., tuple[int, str]]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def home(monkeypatch, tmp_path) -> Path:
    for name in list(os.environ):
        if name.startswith("WANDLE_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("WANDLE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def run(home, monkeypatch, capsys) -> Run:
    """Runs `wandle secrets` with something on standard input; exit code and all that it printed."""

    def go(*arguments: str, stdin: str = "") -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["wandle", "secrets", *arguments])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        try:
            cli.main()
            code = 0
        except SystemExit as stop:
            code = int(stop.code or 0)
        said = capsys.readouterr()
        return code, said.out + said.err

    return go


def test_a_secret_is_set_from_standard_input_in_a_file_only_of_this_user(run, home):
    code, said = run("set", "breathe_london", stdin=f"{VALUE}\n")

    assert code == 0
    assert VALUE not in said
    assert (home / FILE).stat().st_mode & 0o777 == 0o600
    assert home.stat().st_mode & 0o077 == 0
    found = kept(home, "breathe_london")
    assert found is not None
    assert (found.password, found.login) == (VALUE, "")
    assert VALUE not in repr(found)


def test_a_terminal_is_asked_without_echo(run, home, monkeypatch):
    asked = []
    monkeypatch.setattr(command, "ask_hidden", lambda prompt: asked.append(prompt) or VALUE)
    monkeypatch.setattr(sys, "argv", ["wandle", "secrets", "set", "breathe_london"])
    monkeypatch.setattr(sys, "stdin", Terminal())

    with suppress(SystemExit):
        cli.main()

    assert asked == ["Value of breathe_london"]
    assert kept(home, "breathe_london")


def test_a_value_is_not_an_argument(run, home):
    code, said = run("set", "breathe_london", VALUE)

    assert code != 0
    assert not (home / FILE).exists()
    assert "unexpected extra argument" in said


@pytest.mark.parametrize("stdin", ["", "\n", "a\nb\n", "a\0b", "\x1b[2J"])
def test_a_value_that_cannot_be_sent_is_refused(run, home, stdin):
    code, said = run("set", "breathe_london", stdin=stdin)

    assert code == 1
    assert not (home / FILE).exists()
    assert "breathe_london" in said


@pytest.mark.parametrize("name", ["wandle_loader", "Breathe", "a-b", "x" * 49])
def test_an_invalid_name_is_refused(run, home, name):
    code, said = run("set", name, stdin=VALUE)

    assert code == 1
    assert "expected the name of a secret" in said
    assert not (home / FILE).exists()


def test_a_source_with_a_client_id_needs_it(run, home):
    code, said = run("set", "waste_contractor", stdin=VALUE)
    assert code == 1
    assert "wandle secrets set waste_contractor --login LOGIN" in said

    assert run("set", "waste_contractor", "--login", "council", stdin=VALUE)[0] == 0
    assert kept(home, "waste_contractor").login == "council"  # type: ignore[union-attr]


def test_secrets_are_listed_with_their_sources_and_never_with_their_values(run):
    run("set", "breathe_london", stdin=VALUE)
    run("set", "of_nobody", stdin=VALUE)

    code, said = run("list", "--json")

    assert code == 0
    assert json.loads(said) == [
        {"secret": "breathe_london", "set": True, "sources": ["air_sensors"]},
        {"secret": "of_nobody", "set": True, "sources": []},
        {"secret": "waste_contractor", "set": False, "sources": ["waste_collections"]},
    ]
    assert VALUE not in run("list")[1]


def test_a_secret_is_removed_and_the_others_stay(run, home):
    run("set", "breathe_london", stdin=VALUE)
    run("set", "of_nobody", stdin=VALUE)

    assert run("remove", "of_nobody")[0] == 0
    assert kept(home, "of_nobody") is None
    assert kept(home, "breathe_london")
    code, said = run("remove", "of_nobody")
    assert (code, "'of_nobody' is not set" in said) == (1, True)


@pytest.mark.parametrize("damage", ["", "{", "[]", "\0"])
def test_a_damaged_file_is_refused_and_stays(run, home, damage):
    run("set", "breathe_london", stdin=VALUE)
    (home / FILE).write_text(damage)

    code, said = run("set", "of_nobody", stdin=VALUE)

    assert code == 1
    assert f"{FILE} is damaged" in said
    assert (home / FILE).read_text() == damage


def test_a_source_of_files_that_logs_in_is_listed_too(run, tmp_path):
    """Its links may want a key as an API does."""
    with copied(tmp_path / "definitions") as found:
        files = {
            **{
                "kind": "files",
                "from": "ckan",
                "url": "https://data.test/api/3/action/package_show",
            },
            **{"pattern": r"spend-{period:%Y-%m}\.csv", "rate": {"per_second": 1, "burst": 1}},
            "auth": {"type": "api_key", "secret": "ckan_key", "name": "Authorization"},
        }
        fields = contract_fields(extract=files, format={"kind": "csv"}, councils="uk")
        found.write(found.sources / "gauges.yaml", yaml.safe_dump(fields))

        listed = {item["secret"]: item["sources"] for item in json.loads(run("list", "--json")[1])}

    assert listed["ckan_key"] == ["gauges"]
