"""A published version with every type and with shapes, and one server of it for all tests."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.api_server import ObjectStore, Server, object_store, served
from tests.api_tables import PLACES, crimes_of_wards, every_type
from tests.published_version import Table, publish


@pytest.fixture(scope="session")
def things() -> Table:
    return every_type(3000)


@pytest.fixture(scope="session")
def crimes() -> Table:
    return crimes_of_wards()


@pytest.fixture(scope="session")
def store(things, crimes, tmp_path_factory) -> Iterator[ObjectStore]:
    """An S3 with one version."""
    folder = tmp_path_factory.mktemp("api")
    with object_store(folder / "s3") as found:
        tables = {"things": things, "places": PLACES, "ward_crime_monthly": crimes}
        publish(found.published, tables, folder / "files")
        yield found


@pytest.fixture(scope="session")
def server(store, tmp_path_factory) -> Iterator[Server]:
    """A server without rate limits."""
    with served(store, tmp_path_factory.mktemp("home"), "--rate", "0") as found:
        yield found


@pytest.fixture
def client(server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=60, headers={"accept-encoding": ""}) as found:
        yield found
