"""One grammar for all commands, found by checking each: there is no list of commands here."""

from __future__ import annotations

import re
import shlex
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
from rich.cells import cell_len
from typer.main import get_command
from typer.testing import CliRunner

from include import cli

COMMANDS: dict[str, Any] = dict(get_command(cli.app).commands)
# They print addresses, settings or the files they wrote: no table.
WITHOUT_JSON = {
    *("down", "env", "export-odcs", "import-odcs", "migrate", "new-council", "new-project"),
    *("game-day", "new-source", "put", "sandbox", "serve", "sync", "up"),
}
SAME_DEFAULT = {"--council", "--period", "--from", "--to", "--json", "--yes", "--force"}


def help_of(command: str, option: str = "--help") -> str:
    result = CliRunner().invoke(cli.app, [command, option], env={"COLUMNS": "80"})
    assert result.exit_code == 0
    return result.output


def examples(command: str) -> list[list[str]]:
    """The words of each example in a command's help, from the command on."""
    text = re.sub(r"\s+", " ", COMMANDS[command].help)
    shown = re.findall(r"`[^`]*\bwandle ([^`|)]*)", text.partition("Example")[2])
    return [shlex.split(example) for example in shown]


def parameters() -> Iterator[tuple[str, str, Any]]:
    """Each name of each parameter, its command, and the parameter."""
    for command, found in COMMANDS.items():
        for parameter in found.params:
            is_option = parameter.param_type_name == "option"
            for name in parameter.opts if is_option else [argument(parameter)]:
                yield name, command, parameter


def argument(parameter: Any) -> str:
    """As in the first line of the help."""
    name = parameter.metavar or parameter.name.upper()
    return f"[{name}]..." if parameter.nargs == -1 else name


@pytest.fixture(params=sorted(COMMANDS))
def command(request) -> str:
    return request.param


def test_a_command_is_in_a_group_of_the_help(command):
    assert COMMANDS[command].rich_help_panel


def test_the_help_has_examples_that_the_command_understands(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("air.json", "orders.odcs.yaml"):
        (tmp_path / name).touch()
    found = examples(command)

    assert {name for name, *_ in found} == {command}
    for name, *arguments in found:
        COMMANDS[name].make_context(name, arguments)


def test_the_short_option_of_the_help_works_too(command):
    assert help_of(command, "-h") == help_of(command)


def test_the_help_fits_80_columns_and_cuts_nothing(command):
    text = help_of(command)

    assert [line for line in text.splitlines() if cell_len(line) > 80] == []
    assert "…" not in text
    for parameter in COMMANDS[command].params:
        for option in parameter.opts:
            assert not option.startswith("-") or option in text


def test_a_command_that_prints_a_table_has_json(command):
    options = {option for parameter in COMMANDS[command].params for option in parameter.opts}

    assert ("--json" in options) != (command in WITHOUT_JSON)


def test_an_option_means_the_same_in_every_command():
    meanings: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for name, _, parameter in parameters():
        described = (parameter.help or "", str(parameter.type_descriptor.annotation))
        default = (str(parameter.default),) if name in SAME_DEFAULT else ()
        meanings[name].add((*described, *default))

    assert {name: found for name, found in meanings.items() if len(found) > 1} == {}


def test_the_source_is_an_argument_and_the_partition_is_options():
    kinds = {name: parameter.param_type_name for name, _, parameter in parameters()}

    assert {name for name in kinds if "source" in name.lower()} == {"SOURCE", "[SOURCE]..."}
    for name, command, parameter in parameters():
        if name in ("--council", "--period"):
            assert parameter.multiple, f"{command} {name}"
        if name == "--from":
            assert {"--from", "--to", "--council"} <= {
                option for each in COMMANDS[command].params for option in each.opts
            }


def test_the_version_is_shown():
    result = CliRunner().invoke(cli.app, ["--version"])

    assert result.exit_code == 0
    assert re.fullmatch(r"wandle \d+\.\d+\.\d+, code \S+\n", result.output)


def test_an_option_with_a_typing_error_is_answered_with_the_one_meant():
    result = CliRunner().invoke(cli.app, ["ledger", "--concil", "sutton"], env={"COLUMNS": "80"})

    assert result.exit_code == 2
    assert "--council" in result.output


def test_a_command_with_a_typing_error_is_answered_with_the_one_meant():
    result = CliRunner().invoke(cli.app, ["legder"], env={"COLUMNS": "80"})

    assert result.exit_code == 2
    assert "ledger" in result.output
