"""A broken contract or council takes down nothing else; its error names file, line and field."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from include import cli
from include.councils import model as councils
from include.definitions import yaml_text
from include.errors import UnknownName, WrongDefinition
from include.jobs.author import sync
from include.jobs.pipeline.plan import plan
from include.local.demo.window import asked_of_sources
from include.sources import model as sources
from tests.broken import OF_CONTRACTS, WAYS, Definitions, copied
from tests.samples import contract_fields
from tests.unit.local.test_demo_window import AS_OF, WINDOW

CONTRACTS = sorted(sources.every_contract())
COUNCILS = sorted(councils.councils())
CHILD = next(name for name, item in sources.contracts().items() if item.extract.parents)
PARENT = next(iter(sources.contracts()[CHILD].extract.parents.values())).source


def may_be(name: str, way: str) -> bool:
    """Whether the way breaks the contract: parents of one that is switched off are not compared."""
    return name in sources.contracts() or way != "a parent that nobody has"


@pytest.fixture
def copy(tmp_path) -> Iterator[Definitions]:
    with copied(tmp_path) as found:
        yield found


def errors() -> dict[str, str]:
    broken = {**sources.broken_contracts(), **councils.broken_councils()}
    return {name: str(error) for name, error in broken.items()}


@pytest.mark.parametrize(
    ("name", "way"),
    [
        *((name, way) for name in CONTRACTS for way in OF_CONTRACTS if may_be(name, way)),
        *((name, way) for name in COUNCILS for way in WAYS),
    ],
)
def test_every_other_definition_is_read_as_before(copy, name, way):
    every, enabled, known = sources.every_contract(), sources.contracts(), councils.councils()

    copy.break_(name, way)

    for before, after in (
        # A parent that is missing is found when contracts are compared.
        (every, {other: item for other, item in sources.every_contract().items() if other != name}),
        (enabled, sources.contracts()),
        (known, councils.councils()),
    ):
        assert after == {other: item for other, item in before.items() if other != name}
    assert list(errors()) == [name]
    said = errors()[name]
    assert said.startswith(f"{copy.path(name)}: ")
    if OF_CONTRACTS[way].field:
        assert f"field `{OF_CONTRACTS[way].field}`: " in said
    if way != "an empty file":
        assert re.search(r"line \d+", said)


@pytest.mark.parametrize("way", OF_CONTRACTS)
def test_a_contract_as_new_source_writes_it_is_broken_in_the_same_ways(copy, way):
    copy.write(copy.sources / "gauges.yaml", yaml_text(contract_fields()))

    copy.break_("gauges", way)

    assert list(errors()) == ["gauges"]
    if OF_CONTRACTS[way].field:
        assert f"field `{OF_CONTRACTS[way].field}`: " in errors()["gauges"]


def test_the_line_is_that_of_the_field(copy):
    path = copy.path(CHILD)
    lines = path.read_text().splitlines()
    place = next(number for number, line in enumerate(lines) if line.startswith("schedule:"))
    lines[place] = 'schedule: "0 25 * * *"'

    copy.write(path, "\n".join(lines))

    assert errors()[CHILD] == (
        f"{path}: line {place + 1}, field `schedule`: hour: expected 0 to 23, found '25'. "
        "Found '0 25 * * *'."
    )


@pytest.mark.parametrize("name", ["#draft.yaml", ".#draft.yaml", "draft.yaml~", ".draft.yaml.swp"])
def test_what_an_editor_leaves_beside_a_contract_breaks_nothing_else(copy, name):
    before = sources.contracts()

    copy.write(copy.sources / name, "half a file")

    assert sources.contracts() == before


def _folder(path: Path) -> None:
    path.mkdir()


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _link_to_nothing(path: Path) -> None:
    path.symlink_to("nowhere.yaml")


def _link_in_a_circle(path: Path) -> None:
    path.symlink_to(path.name)


def _endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _huge(path: Path) -> None:
    path.write_text("# a\n" * 500_000)


@pytest.mark.parametrize("folder", ["sources", "councils"])
@pytest.mark.parametrize(
    "make", [_folder, _pipe, _link_to_nothing, _link_in_a_circle, _endless, _huge]
)
def test_what_is_not_a_file_is_named_and_breaks_nothing_else(copy, folder, make):
    before = set(sources.contracts()), set(councils.councils())

    make(getattr(copy, folder) / "odd.yaml")
    sources.read_again()
    councils.read_again()

    assert (set(sources.contracts()), set(councils.councils())) == before
    (said,) = errors().values()
    assert said.startswith(f"{getattr(copy, folder) / 'odd.yaml'}: ")


@pytest.mark.parametrize("folder", ["sources", "councils"])
def test_a_file_of_another_ending_is_not_overlooked(copy, folder):
    name = {"sources": CHILD, "councils": COUNCILS[0]}[folder]
    path = copy.path(name)
    path.rename(path.with_suffix(".yml"))
    sources.read_again()
    councils.read_again()

    assert errors() == {name: f"{path.with_suffix('.yml')}: expected the ending .yaml. Rename it."}


@pytest.mark.parametrize("name", ["weather_hourly_partition", "weather_hourly__new"])
def test_a_name_that_would_be_taken_in_the_database_is_refused(copy, name):
    text = copy.path("weather_hourly").read_text()

    copy.write(copy.sources / f"{name}.yaml", text.replace("name: weather_hourly", f"name: {name}"))

    assert list(errors()) == [name]
    assert f"field `name`: {name!r} ends with _" in errors()[name]


def test_more_columns_than_a_table_can_have_are_refused(copy):
    path = copy.path("weather_hourly")
    more = "".join(
        f"  - {{name: c{number}, type: text, description: C.}}\n" for number in range(1000)
    )

    copy.write(path, path.read_text().replace("\ncolumns:\n", f"\ncolumns:\n{more}"))

    assert "field `columns`: expected at most 1000 columns" in errors()["weather_hourly"]


def test_a_broken_definition_is_named_by_everything_that_asks_for_it(copy):
    copy.break_(CHILD)
    copy.break_(COUNCILS[0])

    with pytest.raises(WrongDefinition, match=rf"{CHILD}\.yaml: line \d+, field `publsher`"):
        sources.contract(CHILD)
    with pytest.raises(WrongDefinition, match=rf"{COUNCILS[0]}\.yaml: line \d+, field `publsher`"):
        councils.council(COUNCILS[0])
    with pytest.raises(UnknownName):
        sources.contract("nobody")


def test_a_source_that_is_switched_off_is_not_called_unknown():
    off = next(name for name in CONTRACTS if name not in sources.contracts())

    with pytest.raises(UnknownName, match=f"{off} is switched off: include/sources/{off}.yaml"):
        sources.contract(off)


def test_a_source_whose_parent_is_broken_keeps_its_dag(copy):
    """It can be reloaded from S3; fetching it names the parent's file."""
    copy.break_(PARENT)

    assert CHILD in sources.contracts()
    assert list(errors()) == [PARENT]


def test_a_parent_that_does_not_fit_breaks_only_the_child(copy):
    path = copy.path(CHILD)
    before = set(sources.contracts())
    copy.write(path, path.read_text().replace(f"source: {PARENT}", "source: nobody"))

    assert set(sources.contracts()) == before - {CHILD}
    assert re.search(
        rf"{CHILD}\.yaml: line \d+, field `extract\.parents\.\w+\.source`: expected one of ",
        errors()[CHILD],
    )


def test_sources_that_wait_for_each_other_are_refused(copy):
    """The demo would never begin, and neither would ever be fetched first."""
    path = copy.path(PARENT)
    extra = f"extract:\n  parents:\n    child: {{source: {CHILD}}}\n"
    copy.write(path, path.read_text().replace("extract:\n", extra))

    assert set(errors()) == {PARENT, CHILD}
    assert "would wait for itself" in errors()[PARENT]


def test_a_run_plans_a_council_whose_file_is_broken_so_that_it_cannot_be_green_without(copy):
    monthly = next(
        item
        for item in sources.contracts().values()
        if item.councils == "each"
        and not item.snapshot
        and item.period == "month"
        and item.start <= date(2017, 5, 1)
    )
    copy.break_(COUNCILS[0])

    planned = plan(monthly, today=AS_OF, first="2017-05")

    assert [partition.council for partition in planned] == COUNCILS


def test_the_demo_requests_every_source_that_needs_none_of_the_broken_ones(copy):
    before = {item.contract.name for item in asked_of_sources(WINDOW, None)}
    copy.break_(PARENT)

    asked = {item.contract.name for item in asked_of_sources(WINDOW, None)}

    children = {
        name
        for name, item in sources.contracts().items()
        if PARENT in {parent.source for parent in item.extract.parents.values()}
    }
    assert asked == before - {PARENT} - children
    with pytest.raises(WrongDefinition, match=rf"{PARENT}\.yaml: line "):
        asked_of_sources(WINDOW, [CHILD])


def test_sync_leaves_what_a_broken_contract_has_generated(copy):
    copy.break_(PARENT)

    stale = {path.name for path in sync.stale_files()}

    # The schemas are next to the contracts, wherever those are.
    assert stale <= {"contract.schema.json", "council.schema.json"}


# --- the command line ----------------------------------------------------------------------------


@pytest.fixture
def wandle(copy, monkeypatch, tmp_path, capsys):
    """Runs a command; its exit code, and everything that it prints."""
    monkeypatch.setenv("WANDLE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "1000")

    def run(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["wandle", *arguments])
        code = 0
        try:
            cli.main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


@pytest.mark.allow_hosts(["127.0.0.1"])
@pytest.mark.parametrize(
    "command", [["env"], ["status"], ["down"], ["--help"], ["ingest", "--help"], ["doctor"]]
)
def test_a_command_that_needs_no_contract_reads_none(wandle, monkeypatch, command):
    wandle("env")  # makes the state folder

    def read(folder: Path, model: object) -> None:
        raise AssertionError(f"{folder} was read")

    monkeypatch.setattr(sources, "read_folder", read)
    monkeypatch.setattr(councils, "read_folder", read)
    sources.read_again()
    councils.read_again()

    _, said = wandle(*command)

    assert "was read" not in said
    assert "AssertionError" not in said


def test_a_new_platform_can_be_made_while_a_contract_is_broken(wandle, copy):
    for name in CONTRACTS:
        copy.break_(name)

    assert wandle("env")[0] == 0


@pytest.mark.parametrize(
    ("command", "broken"), [("sources", CHILD), ("sync", CHILD), ("councils", COUNCILS[0])]
)
def test_a_list_of_all_shows_the_others_and_ends_red(wandle, copy, command, broken):
    copy.break_(broken)

    code, said = wandle(command)

    assert code == 1
    assert re.search(rf"{broken}\.yaml: line \d+, field `publsher`: unknown field", said)
    if command != "sync":
        others = COUNCILS[1:] if command == "councils" else [n for n in CONTRACTS if n != CHILD]
        assert [name for name in others if name not in said] in ([], ["flood_readings_uk"])


def test_validate_names_each_broken_file_and_compares_the_others(wandle, copy):
    copy.break_(PARENT)
    copy.break_(COUNCILS[0])

    code, said = wandle("validate")

    assert code == 1
    assert said.count("unknown field; check the spelling") == 2
    assert "2 differences" in said


def test_a_council_without_wards_today_is_listed_with_none(wandle, copy):
    path = copy.path(COUNCILS[0])
    copy.write(path, re.sub(r"ward_sets:.*", "", path.read_text(), flags=re.DOTALL))

    code, said = wandle("councils")

    assert code == 0
    assert COUNCILS[0] in said
