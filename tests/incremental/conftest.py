"""The databases of the integration tests."""

from tests.integration.conftest import new_database, sockets

__all__ = ["new_database", "sockets"]
