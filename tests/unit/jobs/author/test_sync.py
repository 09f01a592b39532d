"""wandle sync: what is made from the contracts, and that it is noticed when it differs."""

from __future__ import annotations

from functools import cache

import pytest
import yaml
from typer.testing import CliRunner

from include.cli import app
from include.errors import WrongDefinition
from include.jobs.author import sync
from include.sources.model import every_contract
from include.transform import sources, staging
from include.transform.descriptions import synced_description
from include.transform.sources import BEGIN, END, PATH, staging_model, synced_model
from include.transform.staging import model_files
from tests.samples import column, contract

MODEL = f"""\
with

source as (

    select
        {BEGIN}
        old,
        {END}

    from {{{{ source('raw', 'gauges') }}}}

),

renamed as (select id as gauge_id from source)

select * from renamed
"""


def test_the_checkout_is_as_the_contracts_say():
    assert list(sync.stale_files()) == [], "run `wandle sync`"


def test_schemas_sources_and_every_staging_model_are_made():
    made = sync.made_files()

    assert PATH in made
    assert {path.name for path in made} >= {
        *("contract.schema.json", "council.schema.json", "contract-reference.md")
    }
    assert len(made) == 4 + 2 * len(every_contract())


def test_a_file_that_differs_is_stale_and_written_again(tmp_path, monkeypatch):
    stale, fresh = tmp_path / "stale", tmp_path / "fresh"
    stale.write_text("old")
    fresh.write_text("new")
    made = {stale: "new", fresh: "new", tmp_path / "missing": "new"}
    monkeypatch.setattr(sync, "made_files", lambda wrong: made)

    written = sync.sync()

    assert written == [stale, tmp_path / "missing"]
    assert sync.stale_files() == {}


def test_the_columns_of_a_model_follow_the_contract_and_nothing_else_does():
    made = synced_model(contract(column("id"), column("name")), MODEL)

    assert '        "id",\n        "name",\n        "_extra",\n' in made
    assert "old" not in made
    assert made.split(END)[1] == MODEL.split(END)[1]


def test_a_dropped_column_is_in_no_model():
    fields = contract(column("id"), column("phone", personal="drop"), retention_days=30)

    assert "phone" not in synced_model(fields, MODEL)


def test_the_model_of_a_source_that_is_off_is_off_and_on_again():
    off = synced_model(contract(enabled=False), MODEL)

    assert off.startswith("{{ config(enabled=false) }}\n\nwith\n")
    assert synced_model(contract(), off) == synced_model(contract(), MODEL)


def test_a_model_without_a_place_for_the_columns_is_refused():
    with pytest.raises(WrongDefinition, match="gauges has no lines"):
        synced_model(contract(), "select * from {{ source('raw', 'gauges') }}")


def test_every_contract_has_one_staging_model():
    assert None not in map(staging_model, every_contract().values())


@pytest.fixture
def by_hand(tmp_path, monkeypatch):
    """A contract that somebody wrote, and an empty folder for staging models."""
    source = contract(column("id"), column("month"), name="air_quality", key=["id", "month"])
    staging_folder = tmp_path / "staging"
    for module in (sources, staging):
        monkeypatch.setattr(module, "STAGING", staging_folder)
    monkeypatch.setattr(sync, "PATH", staging_folder / "_sources.yml")
    monkeypatch.setattr(sync, "every_contract", cache(lambda: {source.name: source}))
    monkeypatch.setattr(sync, "contracts", cache(lambda: {source.name: source}))
    monkeypatch.setattr(sync, "schemas", dict)
    return source, staging_folder / "air" / "stg_air__quality.sql"


def test_a_contract_without_a_staging_model_gets_the_one_of_new_source(by_hand):
    source, model = by_hand
    described = model.with_suffix(".yml")

    assert {model, described} <= set(sync.stale_files())

    written = sync.sync()

    assert {model, described} <= set(written)
    assert {path: path.read_text() for path in (model, described)} == model_files(source)
    assert sync.stale_files() == {}


def test_a_staging_model_that_exists_is_never_overwritten(by_hand):
    _, model = by_hand
    sync.sync()
    edited = model.read_text().replace("-- what", "-- ours")
    model.write_text(edited)
    described = model.with_suffix(".yml")
    described.write_text("models: []\n")

    assert sync.sync() == []
    assert (model.read_text(), described.read_text()) == (edited, "models: []\n")

    model.unlink()
    sync.sync()
    assert described.read_text() == "models: []\n"


@pytest.fixture
def drafted(by_hand, monkeypatch):
    """Says the contract anew, whose first model is there; and the model."""
    source, model = by_hand
    sync.sync()

    def say(*columns, **fields):
        said = contract(*columns, name=source.name, **fields)
        monkeypatch.setattr(sync, "every_contract", lambda: {source.name: said})
        monkeypatch.setattr(sync, "contracts", lambda: {source.name: said})
        return said

    return say, model


def test_a_first_model_that_nobody_has_edited_follows_the_contract(drafted):
    say, model = drafted
    said = say(column("id"), column("site", "integer", description="Where."), period="month")

    sync.sync()

    assert {file: file.read_text() for file in model_files(said)} == model_files(said)
    assert "month_field" not in model.read_text()


@pytest.mark.parametrize("suffix", [".sql", ".yml"])
def test_a_model_that_somebody_has_edited_keeps_what_it_says(drafted, suffix):
    say, model = drafted
    file = model.with_suffix(suffix)
    file.write_text(file.read_text().replace("month_field", "of_month"))
    say(column("id"), period="day")

    sync.sync()

    assert "of_month" in file.read_text()
    assert '"month" as' in model.read_text()


def test_a_model_that_another_one_selects_from_keeps_its_columns(drafted):
    say, model = drafted
    mart = model.parent.parent / "daily.sql"
    mart.write_text("select month_field from {{ ref('stg_air__quality') }}")
    say(column("id"), period="day")

    sync.sync()

    assert '"month" as month_field' in model.read_text()


def test_a_model_with_the_same_name_that_reads_something_else_is_named_not_overwritten(by_hand):
    _, model = by_hand
    model.parent.mkdir(parents=True)
    model.write_text("select 1")

    with pytest.raises(WrongDefinition, match=r"no staging model reads its table, and .*__quality"):
        sync.sync()
    assert model.read_text() == "select 1"


def test_a_column_named_as_one_that_the_model_adds_has_another_name_in_it(by_hand):
    source, model = by_hand
    made = model_files(source)

    assert '        "month" as month_field,\n' in made[model]
    assert made[model].count(" as month,") == 1
    described = yaml.safe_load(made[model.with_suffix(".yml")])["models"][0]
    assert [item["name"] for item in described["columns"]][:4] == [
        "id", "month_field", "council", "month",
    ]  # fmt: skip
    together = described["data_tests"][0]["unique_together"]["arguments"]["columns"]
    assert together == ["council", "month", "id", "month_field"]


def test_sync_check_names_what_is_missing_and_what_is_stale(by_hand):
    _, model = by_hand
    sync.sync()
    model.unlink()
    stale = model.parent.parent / "_sources.yml"
    stale.write_text("old")

    found = CliRunner().invoke(app, ["sync", "--check"])

    assert found.exit_code == 1
    assert f"Missing: {model}" in found.output
    assert f"Stale: {stale}" in found.output
    assert not model.exists()


DESCRIBED = """\
models:
- name: stg_gauges
  columns:
  # By hand.
  - name: id
    data_type: bigint
    description: 'Its number: never null.'
    data_tests: [not_null]
  - {name: cost, quote: true, data_type: double precision, description: Pounds.}
  - name: first_day
    data_type: date
- name: another
  columns:
  - name: cost
    data_type: double precision
"""
SELECTS = MODEL.replace(
    "select id as gauge_id from source",
    """
    select
        "id",
        amount as "cost", -- pounds
        to_date(amount, 'YYYY') as first_day
    from source
""",
)


def test_the_types_of_a_models_description_follow_the_contract_and_nothing_else_does():
    fields = contract(column("id"), column("amount", "numeric(12,2)"), column("first_day"))

    made = synced_description(fields, "stg_gauges", SELECTS, DESCRIBED)

    assert made == DESCRIBED.replace("data_type: bigint", "data_type: text").replace(
        "true, data_type: double precision", 'true, data_type: "numeric(12,2)"'
    )
    assert synced_description(fields, "stg_gauges", SELECTS, made) == made


RENAMED = contract(
    column("id"),
    column("concentration", "double", path="value", renamed_from="value"),
)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("value", '"concentration" as "value"'),
        ('"value", -- in µg', '"concentration" as "value", -- in µg'),
        ("value as reading", '"concentration" as reading'),
        ("round(value, 2) as value", 'round("concentration", 2) as value'),
        ("detail ->> 'value' as detail", "detail ->> 'value' as detail"),
        ("concentration as value", "concentration as value"),
        ("value_type", "value_type"),
    ],
)
def test_a_model_takes_a_renamed_column_and_keeps_its_own_name(before, after):
    model = MODEL.replace(
        "select id as gauge_id from source", f"\n    select\n        {before}\n    from source"
    )

    made = synced_model(RENAMED, model)

    assert f"    select\n        {after}\n    from source" in made
    assert synced_model(RENAMED, made) == made


def test_after_the_first_select_a_model_is_left_alone():
    model = MODEL.replace("select * from renamed", "select value from renamed")

    assert synced_model(RENAMED, model).endswith("select value from renamed\n")


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("stg_air__quality.sql", b"select 1 from {{ source('raw', 'air_quality') }} -- caf\xe9"),
        ("stg_air__quality.sql", b"select 1 from {{ source('raw', 'air_quality') }}"),
        ("stg_air__quality.yml", b"models: ["),
        ("stg_air__quality.yml", b"# caf\xe9"),
        ("again.sql", b"select 1 from {{ source('raw', 'air_quality') }}"),
    ],
)
def test_a_model_that_cannot_be_followed_blocks_no_other(by_hand, monkeypatch, file, text):
    _, model = by_hand
    other = contract(column("id"), name="sea_level")
    both = sync.every_contract() | {other.name: other}
    monkeypatch.setattr(sync, "every_contract", cache(lambda: both))
    sync.sync()
    (model.parent / file).write_bytes(text)
    sea = model.parents[1] / "sea" / "stg_sea__level.sql"
    sea.unlink()

    wrong: list[WrongDefinition] = []
    written = sync.sync(wrong)

    assert sea in written
    assert len(wrong) == 1
    assert "stg_air__quality" in str(wrong[0]) or "air_quality" in str(wrong[0])


def test_two_contracts_do_not_share_a_staging_model(by_hand, monkeypatch):
    both = {name: contract(column("id"), name=name) for name in ("air", "air_air")}
    monkeypatch.setattr(sync, "every_contract", cache(lambda: both))

    with pytest.raises(
        WrongDefinition, match=r"air_air: its staging model would be .*stg_air__air"
    ):
        sync.made_files()
