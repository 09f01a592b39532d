"""Whether a database takes a login, and whether it insists on TLS."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import psycopg

CONNECT_SECONDS = 10


def problem_of_login(dsn: str) -> str:
    """Why this address does not let its role in over TLS; empty where it does. No password."""
    try:
        with psycopg.connect(dsn, connect_timeout=CONNECT_SECONDS) as connection:
            found = connection.execute(
                "select ssl from pg_stat_ssl where pid = pg_backend_pid()"
            ).fetchone()
    except psycopg.OperationalError as error:
        return f"{_first_line(error)}"
    return "" if found and found[0] else "the connection is not encrypted."


def takes_plain_connections(dsn: str) -> bool:
    """Whether the server lets this role in without TLS, too."""
    parts = urlsplit(dsn)
    query = dict(parse_qsl(parts.query)) | {"sslmode": "disable"}
    plain = urlunsplit(parts._replace(query=urlencode(query, safe="/")))
    try:
        psycopg.connect(plain, connect_timeout=CONNECT_SECONDS).close()
    except psycopg.OperationalError:
        return False
    return True


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].strip() if lines else type(error).__name__
