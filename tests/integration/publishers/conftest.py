"""Datasets of publishers by nothing but a contract: their server, and what reads from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from include.extract.login.secret import Secret
from include.jobs.pipeline.extract import extract
from include.jobs.pipeline.load import load
from include.sources.model import Contract, contracts
from include.warehouse.schema.migrate import migrate
from tests.integration.conftest import Warehouse
from tests.integration.fixture_server import Asked, FixtureServer, serving_fixture
from tests.samples import contract_fields

KEY = "k3y-of-the-publisher-0123456789"


@pytest.fixture(scope="module")
def database(new_database) -> Warehouse:
    """A database without a table of these sources."""
    found = new_database()
    migrate(found.admin, [], {})
    return found


@pytest.fixture
def api(deployment, monkeypatch) -> Iterator[FixtureServer]:
    """The publisher's server."""
    monkeypatch.setenv("WANDLE_LIVE", "1")
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda seconds: None)
    found = FixtureServer()
    with serving_fixture(found) as url:
        found.url = url  # type: ignore[attr-defined]
        yield found


@pytest.fixture
def take(api, lake, database, monkeypatch) -> Callable[..., list[tuple[Any, ...]]]:
    """Takes a contract, as its file has it, from the API to the table; the rows of some columns."""

    def run(text: str, period: str, council: str = "uk") -> list[tuple[Any, ...]]:
        source = described(text, api.url)
        monkeypatch.setitem(contracts(), source.name, source)
        migrate(database.admin, [source], {})
        where = source.partition(council, period)
        extract(source, where, lake=lake, run_id="run", secret_of=lambda n: Secret(n, KEY, "us"))
        entry = load(source, where, lake=lake, dsn=database.dsn(), run_id="run")
        books = [entry[name] for name in ("records", "loaded", "duplicates", "quarantined")]
        names = ", ".join(f'"{column.name}"' for column in source.columns)
        rows = database.query(f"select {names} from raw.{source.name} order by _record_no")
        rules = "select column_name, rule, value from ops.quarantine order by landing_id, record_no"
        take.books, take.quarantine = books, database.query(rules)
        return rows

    take: Any = run
    return run


def described(text: str, url: str) -> Contract:
    """The contract of a file; what every file says is left out of it."""
    fields = yaml.safe_load(text)
    way = {"rate": {"per_second": 1000, "burst": 1000}, "parallel": 1, "attempts": 2}
    extract = (way | {"base_url": url} if url else {}) | fields.pop("extract")
    columns = [{"description": "-", **column} for column in fields.pop("columns")]
    common = contract_fields(*columns) | {"councils": "uk", "checks": {"max_quarantined_share": 0}}
    return Contract.model_validate(common | {"extract": extract} | fields)


def paged(items: list[Any], asked: Asked, number: str, size: str, first: int = 1) -> list[Any]:
    """The page of the items that was asked for."""
    page, of = int(asked.values[number]) - first, int(asked.values[size])
    return items[page * of : (page + 1) * of]
