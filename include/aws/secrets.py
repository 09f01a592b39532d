"""Read and write an environment's secrets, and build PostgreSQL DSNs from them."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, urlencode

import boto3
from botocore.exceptions import ClientError

from include.aws.failures import CONFIG, aws_errors, code_of
from include.errors import PermanentError

CONNECTIONS = "connections"
FIX = "Check that it exists and this role may access it: `wandle doctor --aws`."


class Secrets:
    """The secrets of one environment, `wandle/<environment>/...`, accessed through one session."""

    def __init__(self, session: boto3.Session, environment: str) -> None:
        self._client = session.client("secretsmanager", config=CONFIG)
        self.prefix = f"wandle/{environment}"

    def read(self, name: str) -> str | None:
        """The value of `wandle/<environment>/<name>`; None if it has no value yet."""
        return self.read_any(f"{self.prefix}/{name}")

    def need(self, name: str) -> str:
        """The value. Raises `PermanentError` if it has none yet."""
        value = self.read(name)
        if value is None:
            raise PermanentError(
                f"AWS: the secret {self.prefix}/{name} has no value yet. Run `wandle migrate` in "
                "the environment; docs/deploy.md lists the secrets to fill by hand."
            )
        return value

    def read_any(self, secret: str) -> str | None:
        """The value of a secret by its full name or ARN; None if it has no value yet.

        Raises `PermanentError` if the secret does not exist or may not be
        read, `ServiceUnavailable` if Secrets Manager does not respond.
        """
        with aws_errors(f"AWS: reading the secret {secret}", FIX):
            try:
                return str(self._client.get_secret_value(SecretId=secret)["SecretString"])
            except ClientError as error:
                # A secret without a value gives the same error as one that does not exist.
                if code_of(error) != "ResourceNotFoundException":
                    raise
                self._client.describe_secret(SecretId=secret)
                return None

    def has_value(self, name: str) -> bool:
        """Whether a secret has a value, without reading it. Raises as `read_any` does."""
        secret = f"{self.prefix}/{name}"
        with aws_errors(f"AWS: describing the secret {secret}", FIX):
            return bool(self._client.describe_secret(SecretId=secret).get("VersionIdsToStages"))

    def write(self, name: str, value: str) -> None:
        """Set the value of an existing secret. Raises as `read_any` does."""
        secret = f"{self.prefix}/{name}"
        with aws_errors(f"AWS: writing the secret {secret}", FIX):
            self._client.put_secret_value(SecretId=secret, SecretString=value)


def dsn(
    server: str, database: str, user: str, password: str, ca: str = "", scheme: str = "postgresql"
) -> str:
    """A PostgreSQL DSN. With `ca`, a certificate file, the server certificate is verified."""
    query = urlencode({"sslmode": "verify-full", "sslrootcert": ca}, safe="/") if ca else ""
    login = f"{quote(user, safe='')}:{quote(password, safe='')}"
    return f"{scheme}://{login}@{server}/{database}{'?' if query else ''}{query}"


def connection(server: str, database: str, user: str, password: str, ca: str) -> dict[str, Any]:
    """An Airflow connection to PostgreSQL, in the form of its secrets backend."""
    host, _, port = server.partition(":")
    query = {"sslmode": "verify-full", "sslrootcert": ca} if ca else {}
    return {
        "conn_type": "postgres",
        "host": host,
        "port": int(port or 5432),
        "schema": database,
        "login": user,
        "password": password,
        "extra": {"sqlalchemy_query": query},
    }


def dsn_of_connection(secret: str) -> str:
    """The DSN of an Airflow connection to PostgreSQL.

    Raises `PermanentError`, without the value, if it is malformed.
    """
    try:
        found = json.loads(secret)
        query = found["extra"]["sqlalchemy_query"]
        server = f"{found['host']}:{found['port']}"
        return dsn(
            server,
            found["schema"],
            found["login"],
            found["password"],
            query.get("sslrootcert", ""),
        )
    except (ValueError, KeyError, TypeError):
        raise PermanentError(
            "AWS: the secret of a connection is malformed. Run `wandle migrate` to write it again."
        ) from None
