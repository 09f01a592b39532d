"""Settings of a deployment, from the environment, then `$WANDLE_HOME/wandle.env`."""

from __future__ import annotations

import os
import shlex
import subprocess
from contextlib import suppress
from functools import cache, lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from include.errors import PermanentError

if TYPE_CHECKING:
    import boto3

# Settings that may be unset on AWS, and the secret with the value, below `wandle/<environment>/`.
IN_SECRETS = {
    "loader_dsn": "connections/wandle_loader",
    "transformer_dsn": "connections/wandle_transformer",
    "portal_dsn": "connections/wandle_portal",
    "reader_dsn": "connections/wandle_reader",
    "publisher_dsn": "connections/wandle_publisher",
    "pseudonym_key": "pseudonym_key",
    "broker_password": "broker_password",
    "oidc_client_secret": "oidc_client_secret",
}

S3_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION")

CHECKOUT = Path(__file__).resolve().parents[1]

# What a state folder's data can come from; `WANDLE_ORIGIN` in its settings file says which.
ORIGINS = {
    "sandbox": "the sandbox's generated data",
    "recorded": "recorded responses",
    "live": "the live APIs",
}
ORIGIN = "WANDLE_ORIGIN"


@cache
def _code_version() -> str:
    """The commit of this checkout, with `-dirty` if it was edited; images set it instead."""
    command = ("git", "-C", str(CHECKOUT), "describe", "--always", "--dirty", "--abbrev=12")
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return version("wandle")


# PostgreSQL's own schemas, and those of `wandle diff`.
RESERVED_PREFIXES = ("pg_", "diff_")


def connection_variable(name: str) -> str:
    """The variable with the DSN of a source database."""
    return f"WANDLE_CONNECTION_{name.upper()}"


class WrongSetting(PermanentError):
    """A setting is missing or invalid."""


class Settings(BaseSettings):
    """The settings of a deployment.

    Every field is read from the variable in its alias. Addresses are empty
    until the platform has been started (`wandle up`) or the deployment sets
    them; `need` raises a clear error for an empty one.
    """

    model_config = SettingsConfigDict(
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        validate_by_name=False,
    )

    home: Path = Field(default=CHECKOUT / ".local", alias="WANDLE_HOME")
    port_base: int = Field(default=8080, ge=1024, le=65_000, alias="WANDLE_PORT_BASE")
    live: bool = Field(default=False, alias="WANDLE_LIVE")
    payloads: Path | None = Field(default=None, alias="WANDLE_PAYLOADS")
    sandbox_url: str = Field(default="", alias="WANDLE_SANDBOX_URL")
    sandbox_hosts: str = Field(default="", alias="WANDLE_SANDBOX_HOSTS")
    given_code_version: str = Field(default="", alias="WANDLE_CODE_VERSION")

    bucket: str = Field(default="wandle", alias="WANDLE_BUCKET")
    s3_endpoint: str = Field(default="", alias="AWS_ENDPOINT_URL_S3")
    s3_access_key: str = Field(default="", alias="AWS_ACCESS_KEY_ID", repr=False)
    s3_secret_key: str = Field(default="", alias="AWS_SECRET_ACCESS_KEY", repr=False)
    region: str = Field(default="eu-west-2", alias="AWS_REGION")

    admin_dsn: str = Field(default="", alias="WANDLE_ADMIN_DSN", repr=False)
    loader_dsn: str = Field(default="", alias="WANDLE_LOADER_DSN", repr=False)
    transformer_dsn: str = Field(default="", alias="WANDLE_TRANSFORMER_DSN", repr=False)
    portal_dsn: str = Field(default="", alias="WANDLE_PORTAL_DSN", repr=False)
    reader_dsn: str = Field(default="", alias="WANDLE_WAREHOUSE_DSN", repr=False)
    publisher_dsn: str = Field(default="", alias="WANDLE_PUBLISHER_DSN", repr=False)
    developer_dsn: str = Field(default="", alias="WANDLE_DEVELOPER_DSN", repr=False)
    schema_prefix: str = Field(
        default="", alias="WANDLE_SCHEMA_PREFIX", pattern=r"^([a-z_][a-z0-9_]{0,19})?$"
    )

    pseudonym_key: str = Field(default="", alias="WANDLE_PSEUDONYM_KEY", repr=False)

    # The address of the read API, for the filters of the dashboard: https://api.example.org.
    read_api: str = Field(
        default="", alias="WANDLE_API_URL", pattern=r"^(https?://[A-Za-z0-9.-]+(:\d{1,5})?)?$"
    )
    # The keys of the read API, where neither a state folder nor Secrets Manager has them.
    api_keys: str = Field(default="", alias="WANDLE_API_KEYS", repr=False)

    environment: str = Field(default="", alias="WANDLE_ENVIRONMENT", pattern=r"^[a-z0-9-]*$")
    job_role: str = Field(default="", alias="WANDLE_JOB_ROLE")
    database: str = Field(default="", alias="WANDLE_DATABASE", pattern=r"^([^:/@]+:\d+)?$")
    database_ca: str = Field(default="", alias="WANDLE_DATABASE_CA")
    admin_secret: str = Field(default="", alias="WANDLE_ADMIN_SECRET")
    broker_password: str = Field(default="", alias="WANDLE_BROKER_PASSWORD", repr=False)
    broker_host: str = Field(default="redis", alias="WANDLE_BROKER_HOST")
    serverless: str = Field(default="", alias="WANDLE_SERVERLESS")
    # The URL of the queue with the events of an inbox, with {source} for the source's name.
    inbox_queue: str = Field(default="", alias="WANDLE_INBOX_QUEUE")

    # The CloudFront distribution in front of what is published.
    distribution: str = Field(default="", alias="WANDLE_DISTRIBUTION", pattern=r"^([A-Z0-9]+)?$")

    # The hours that a person has to approve a publication; 0: nobody is asked.
    publish_approval_hours: float = Field(
        default=0, ge=0, le=24 * 30, alias="WANDLE_PUBLISH_APPROVAL_HOURS"
    )

    # The mail server of alerts: smtp://host:587 (with STARTTLS) or smtps://host:465.
    smtp: str = Field(
        default="", alias="WANDLE_SMTP", pattern=r"^(smtps?://[A-Za-z0-9._-]+(:\d{1,5})?/?)?$"
    )
    smtp_from: str = Field(default="", alias="WANDLE_SMTP_FROM", pattern=r"^([^\s@]+@[^\s@]+)?$")

    # Where OpenLineage events go: file:///path/to/lineage.jsonl, or the URL of a server.
    lineage_url: str = Field(
        default="", alias="WANDLE_LINEAGE_URL", pattern=r"^(file:///.+|https?://[^\s/]+.*)?$"
    )
    lineage_api_key: str = Field(default="", alias="WANDLE_LINEAGE_API_KEY", repr=False)

    oidc_issuer: str = Field(default="", alias="WANDLE_OIDC_ISSUER")
    oidc_client_id: str = Field(default="", alias="WANDLE_OIDC_CLIENT_ID")
    oidc_client_secret: str = Field(default="", alias="WANDLE_OIDC_CLIENT_SECRET", repr=False)
    oidc_scopes: str = Field(default="openid email profile", alias="WANDLE_OIDC_SCOPES")
    oidc_groups_claim: str = Field(default="groups", alias="WANDLE_OIDC_GROUPS_CLAIM")
    oidc_viewers: str = Field(default="", alias="WANDLE_OIDC_VIEWERS")
    oidc_operators: str = Field(default="", alias="WANDLE_OIDC_OPERATORS")
    oidc_admins: str = Field(default="", alias="WANDLE_OIDC_ADMINS")

    backup_days: int | None = Field(default=None, ge=0, alias="WANDLE_BACKUP_DAYS")

    airflow_url: str = Field(default="", alias="AIRFLOW_URL")
    airflow_user: str = Field(default="", alias="AIRFLOW_USER")
    airflow_password: str = Field(default="", alias="AIRFLOW_PASSWORD", repr=False)

    @property
    def code_version(self) -> str:
        """The one that the image names, else the commit of this checkout."""
        return self.given_code_version or _code_version()

    @field_validator("payloads", "home", mode="before")
    @classmethod
    def _is_absolute(cls, value: str | Path | None) -> Path | None:
        return Path(value).expanduser().resolve() if value else None

    @field_validator("live", mode="before")
    @classmethod
    def _empty_is_off(cls, value: object) -> object:
        return value or False

    @field_validator("schema_prefix")
    @classmethod
    def _is_free(cls, value: str) -> str:
        if value.startswith(RESERVED_PREFIXES):
            raise ValueError(f"expected another beginning than {' and '.join(RESERVED_PREFIXES)}")
        return value

    @classmethod
    def read(cls) -> Settings:
        """The settings of this process. Raises `WrongSetting` naming each invalid variable."""
        home = Path(os.environ.get("WANDLE_HOME") or CHECKOUT / ".local").expanduser()
        return _read(home / "wandle.env", _state(home / "wandle.env"))

    def need(self, field: str) -> str:
        """The value of `field`; on AWS from its secret, if the variable is not set.

        Raises `WrongSetting` with the variable's name if there is none, and
        the errors of `include.aws.secrets`.
        """
        value = getattr(self, field)
        if not value and self.environment and field in IN_SECRETS:
            return self._from_secret(field)
        if not value:
            variable = type(self).model_fields[field].alias
            raise WrongSetting(
                f"settings: {variable} is not set. Run `wandle up` to start the platform on "
                f"this machine, or set it to your deployment's."
            )
        return str(value)

    @property
    def serverless_sources(self) -> frozenset[str]:
        """The sources that `WANDLE_SERVERLESS` names: a function extracts them."""
        return frozenset(name.strip() for name in self.serverless.split(",") if name.strip())

    def _from_secret(self, field: str) -> str:
        from include.aws.secrets import Secrets, dsn_of_connection

        secrets = Secrets(self.session("secrets"), self.environment)
        value = secrets.need(IN_SECRETS[field])
        return dsn_of_connection(value) if field.endswith("_dsn") else value

    def session(self, job: str) -> boto3.Session:
        """The AWS session of a job: with its own role if `WANDLE_JOB_ROLE` is set."""
        import boto3

        from include.aws.roles import session_as

        if not self.job_role:
            return boto3.Session(region_name=self.region)
        return session_as(self.role_of(job), self.region)

    def role_of(self, job: str) -> str:
        """The ARN of a job's role. Raises `WrongSetting` if the pattern lacks `{job}`."""
        if "{job}" not in self.job_role:
            raise WrongSetting(
                f"settings: WANDLE_JOB_ROLE is {self.job_role!r}; expected an ARN with {{job}} in "
                "place of the job name. See docs/deploy.md."
            )
        return self.job_role.replace("{job}", job)

    def own_connection(self, name: str) -> str:
        """The address of a source database that the environment names; empty if it does not."""
        return os.environ.get(connection_variable(name), "")

    def connection(self, name: str) -> str:
        """The address of a source database, from `WANDLE_CONNECTION_<NAME>`.

        Raises `WrongSetting` with the variable's name if it is not set.
        """
        variable = connection_variable(name)
        dsn = self.own_connection(name) or dotenv_values(self.home / "wandle.env").get(variable)
        if not dsn:
            raise WrongSetting(
                f"settings: {variable} is not set. Run `wandle up` to start the platform on this "
                "machine, or set it to the address of the database, with a read-only login: "
                "docs/databases.md."
            )
        return dsn

    @property
    def origin(self) -> str:
        """The one of `ORIGINS` that these settings select."""
        if self.live:
            return "live"
        return "recorded" if self.payloads else "sandbox"

    def refuse_other_origin(self, second: str = "") -> None:
        """Raise `WrongSetting` if the state folder's data come from another origin.

        `second` is the command that starts a second platform, if it is not `wandle up`.
        """
        kept = dotenv_values(self.home / "wandle.env").get(ORIGIN)
        if not kept or kept == self.origin:
            return
        variable = "WANDLE_PAYLOADS" if self.origin == "recorded" else "WANDLE_LIVE"
        raise WrongSetting(
            f"settings: the state folder {self.home} belongs to {ORIGINS.get(kept, kept)}, and "
            f"{variable} selects {ORIGINS[self.origin]}: their data must not mix. To continue "
            f"with this folder, unset {variable}. To start a second platform with its own folder, "
            f"run `{second or self._second_platform()}`."
        )

    def _second_platform(self) -> str:
        variables = {
            "WANDLE_HOME": f"{self.home}-{self.origin}",
            "WANDLE_PORT_BASE": str(self.port_base + 10),
        }
        if self.origin == "live":
            variables["WANDLE_LIVE"] = "1"
        if self.origin == "recorded":
            variables["WANDLE_PAYLOADS"] = str(self.payloads)
        return " ".join([*(f"{k}={shlex.quote(v)}" for k, v in variables.items()), "wandle up"])

    def sample(self, source: str, base_url: str) -> Path:
        """The file of the response that the sandbox replays for a source at this address."""
        return self.home / "samples" / f"{source}@{urlsplit(base_url).netloc}.json"

    def samples(self, source: str) -> list[Path]:
        """The files of a source's responses, at every address."""
        return sorted((self.home / "samples").glob(f"{source}@*.json"))

    def in_sandbox(self, base_url: str, source: str = "") -> bool:
        """Whether the sandbox answers for an API, in general or for this source's sample.

        Without `WANDLE_SANDBOX_HOSTS`, it answers for every host.
        """
        if self.live:
            return False
        host = urlsplit(base_url).netloc
        plays = not self.sandbox_hosts or host in self.sandbox_hosts.split(",")
        return plays or self.sample(source, base_url).is_file()

    def api_url(self, base_url: str, source: str = "") -> str:
        """The base URL to request: the API's own, or in the sandbox, below its host.

        Raises `WrongSetting` if the state folder's data come from another origin.
        """
        self.refuse_other_origin()
        if not self.in_sandbox(base_url, source):
            return base_url
        parts = urlsplit(base_url)
        return f"{self.need('sandbox_url')}/{parts.netloc}{parts.path}"


@lru_cache(maxsize=1)
def _read(file: Path, _: object) -> Settings:
    """The settings in this state. A job reads them in several places, which took 10 ms each."""
    kept = dotenv_values(file)
    # The local S3 accepts only its own keys, not a person's AWS credentials.
    own = S3_KEYS if "AWS_ENDPOINT_URL_S3" not in os.environ else ()
    of_platform: dict[str, Any] = {name: kept[name] for name in own if name in kept}
    if kept.get(ORIGIN) == "live" and not os.environ.keys() & {"WANDLE_LIVE", "WANDLE_PAYLOADS"}:
        of_platform["WANDLE_LIVE"] = "1"
    try:
        return Settings(_env_file=file, **of_platform)
    except ValidationError as error:
        wrong = "; ".join(f"{item['loc'][0]}: {item['msg']}" for item in error.errors())
        raise WrongSetting(f"settings: {wrong}. Fix the variable and try again.") from None


def _state(file: Path) -> object:
    """What settings depend on: the environment, the folder of relative paths, and the file."""
    found: list[object] = [*os.environ.items()]
    with suppress(OSError):
        found.append(Path.cwd())
        found += [(kept := file.stat()).st_ino, kept.st_size, kept.st_mtime_ns]
    return tuple(found)
