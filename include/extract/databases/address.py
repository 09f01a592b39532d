"""The address of a source database: a URL whose scheme says which server it is.

Its parts are those of an Airflow Connection: `mysql://user:password@host:3306/database?ssl_ca=...`.
An address without a scheme is a connection string of PostgreSQL.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from include.errors import PermanentError
from include.sources.extract.addresses import is_loopback
from include.sources.extract.sql import Dialect

# Types of Airflow Connections, by their providers' names, and the schemes of addresses.
DIALECTS: dict[str, Dialect] = {
    "postgres": "postgresql",
    "postgresql": "postgresql",
    "mysql": "mysql",
    "mariadb": "mysql",
    "mssql": "mssql",
    "oracle": "oracle",
}
TITLES: dict[Dialect, str] = {
    "postgresql": "PostgreSQL",
    "mysql": "MySQL or MariaDB",
    "mssql": "SQL Server",
    "oracle": "Oracle",
}
PORTS: dict[Dialect, int] = {"mysql": 3306, "mssql": 1433, "oracle": 1521}


@dataclass(frozen=True)
class Address:
    """Where a database is, and who reads it; never shown."""

    connection: str
    dialect: Dialect
    host: str
    port: int
    database: str
    user: str = field(repr=False)
    password: str = field(repr=False)
    options: Mapping[str, str] = field(repr=False)

    @property
    def is_local(self) -> bool:
        """Whether nobody else sees what is sent to it."""
        return is_loopback(self.host)

    def option(self, name: str, default: str, allowed: Collection[str] = ()) -> str:
        """The value of an option. Raises `PermanentError` for none of `allowed`."""
        value = self.options.get(name, default)
        if allowed and value not in allowed:
            raise PermanentError(
                f"the connection {self.connection!r}: expected `{name}` to be one of "
                f"{', '.join(allowed)}, found another value. Correct the connection."
            )
        return value

    def only(self, *known: str) -> None:
        """Raise `PermanentError` for an option that is not among `known`."""
        for name in self.options:
            if name not in known:
                raise PermanentError(
                    f"the connection {self.connection!r}: unknown option {name!r} for "
                    f"{TITLES[self.dialect]}. Known: {', '.join(known)}. Correct the connection."
                )


def dialect_of(url: str, connection: str) -> Dialect:
    """The dialect of an address. Raises `PermanentError`, without the address."""
    scheme, separator, _ = url.partition("://")
    if not separator:
        return "postgresql"
    found = DIALECTS.get(scheme.lower().partition("+")[0])
    if found is None:
        raise PermanentError(
            f"the connection {connection!r}: unknown scheme {scheme!r}. Known: "
            f"{', '.join(DIALECTS)}. Correct the connection."
        )
    return found


def parse(url: str, connection: str) -> Address:
    """The parts of an address, which is not PostgreSQL's. Raises `PermanentError`."""
    dialect = dialect_of(url, connection)
    try:
        split = urlsplit(url)
        port = split.port
    except ValueError:
        raise PermanentError(
            f"the connection {connection!r}: expected scheme://user:password@host:port/database, "
            "with special characters percent-encoded. Correct the connection."
        ) from None
    if not split.hostname:
        raise PermanentError(f"the connection {connection!r} names no host. Correct it.")
    return Address(
        connection,
        dialect,
        unquote(split.hostname),
        port or PORTS[dialect],
        unquote(split.path.removeprefix("/")),
        unquote(split.username or ""),
        unquote(split.password or ""),
        dict(parse_qsl(split.query, keep_blank_values=True)),
    )


def url_of(
    connection: str, conn_type: str, parts: Mapping[str, Any], extra: Mapping[str, Any]
) -> str:
    """The address that an Airflow Connection describes, by `host`, `port`, `schema`, `login` and
    `password`; its extra fields are the options. Raises `PermanentError`.
    """
    if conn_type not in DIALECTS:
        raise PermanentError(
            f"the connection {connection!r} has the type {conn_type!r}, which is not a database "
            f"that sources are read from. Known: {', '.join(DIALECTS)}. Correct the connection."
        )
    login = ":".join(quote(str(parts.get(name) or ""), safe="") for name in ("login", "password"))
    host = str(parts.get("host") or "")
    host = f"[{host}]" if ":" in host else quote(host, safe="")
    port = f":{parts['port']}" if parts.get("port") else ""
    options = urlencode({name: _option(value) for name, value in _flat(extra).items()})
    database = quote(str(parts.get("schema") or ""), safe="")
    return f"{conn_type}://{login}@{host}{port}/{database}{'?' if options else ''}{options}"


def _flat(extra: Mapping[str, Any]) -> dict[str, Any]:
    """Options that Airflow's MySQL connections group under `ssl`, side by side."""
    found = {name: value for name, value in extra.items() if name != "ssl"}
    grouped = extra.get("ssl")
    if isinstance(grouped, str):
        grouped = json.loads(grouped)
    return found | {f"ssl_{name}": value for name, value in (grouped or {}).items()}


def _option(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
