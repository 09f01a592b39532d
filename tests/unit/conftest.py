"""Unit tests need nothing: no service, no network. HTTP is answered by `responses`.

A test that serves something on this machine says so: `@pytest.mark.allow_hosts(["127.0.0.1"])`.
"""

from __future__ import annotations

import pytest

# It keeps the class of sockets that it finds when it is imported: that must not be the blocked one.
import uvloop  # noqa: F401
from pytest_socket import disable_socket


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Unix sockets stay: asyncio wakes itself up by a pair of them."""
    if not item.get_closest_marker("allow_hosts"):
        disable_socket(allow_unix_socket=True)
