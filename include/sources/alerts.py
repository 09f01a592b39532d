"""Where alerts about a source are sent, and for which problems."""

from __future__ import annotations

import re
from email.utils import parseaddr
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field, model_validator

from include.definitions import Definition, WrongField
from include.sources.extract.addresses import host_name
from include.sources.extract.auth import secret_name

Kind = Literal["failed", "refused", "late", "drifted", "quarantine", "volume"]
KINDS: tuple[Kind, ...] = get_args(Kind)

# What mail servers take without quoting or encoding. Nothing in it can end a header.
_ADDRESS = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,63}"
)
_TOPIC = re.compile(r"wandle-(?:[A-Za-z0-9_-]|\{environment\}){1,200}")


def email_address(value: str) -> str:
    """One address, without a name. Raises `ValueError`."""
    if not _ADDRESS.fullmatch(value):
        raise ValueError("expected an e-mail address alone: data-team@council.example")
    return value


def email_in(owner: str) -> str:
    """The e-mail address in a contract's `owner`, which may have a name; empty if it has none."""
    found = parseaddr(owner)[1]
    return found if _ADDRESS.fullmatch(found) else ""


def _secret(value: str) -> str:
    return value and secret_name(value)


def _topic(value: str) -> str:
    if value and not _TOPIC.fullmatch(value):
        raise ValueError("expected the name of an SNS topic that begins with wandle-")
    return value


class Alerts(Definition):
    """Where alerts are sent; without a channel, nowhere.

    One message a run says what is wrong, why and what to do next; an all-clear
    follows when it is resolved. `wandle alerts SOURCE --test` tries the channels.
    See docs/runbook.md.
    """

    email: tuple[Annotated[str, AfterValidator(email_address)], ...] = Field(
        default=(),
        max_length=20,
        description="E-mail addresses. If `owner` has one, it receives the message, too. The mail "
        "server is a setting of the deployment: `WANDLE_SMTP`.",
    )
    webhook: Annotated[str, AfterValidator(_secret)] = Field(
        default="",
        description="Name of the secret with the URL that the message is posted to, as JSON: "
        "`wandle secrets set NAME`.",
    )
    slack: Annotated[str, AfterValidator(_secret)] = Field(
        default="",
        description="Name of the secret with the URL of a Slack incoming webhook.",
    )
    sns: Annotated[str, AfterValidator(_topic)] = Field(
        default="",
        description="Name of an SNS topic of the environment's account and Region, beginning with "
        "`wandle-`. `wandle-{environment}-alerts` is the one of the alarms.",
    )
    private_hosts: tuple[Annotated[str, AfterValidator(host_name)], ...] = Field(
        default=(),
        description="Hosts of the URLs that are in your own network. All others must be at public "
        "addresses.",
    )
    kinds: tuple[Kind, ...] = Field(
        default=KINDS,
        min_length=1,
        description="What to report: a partition or the DAG `transform` `failed`, a partition was "
        "`refused`, data are `late`, fields `drifted` (are new or vanished), the `quarantine` has "
        "more than its usual share, or the `volume` of a partition is unusual.",
    )

    @model_validator(mode="after")
    def _has_a_channel(self) -> Alerts:
        if self.model_fields_set and not self.are_on:
            raise WrongField("expected at least one of `email`, `webhook`, `slack` and `sns`")
        if self.private_hosts and not self.secrets:
            raise WrongField(
                "applies to `webhook` and `slack`, and neither is set", "private_hosts"
            )
        return self

    @property
    def are_on(self) -> bool:
        """Whether there is a channel."""
        return bool(self.email or self.webhook or self.slack or self.sns)

    def tell_of(self, kind: Kind) -> bool:
        """Whether there is a channel, and it gets problems of this kind."""
        return self.are_on and kind in self.kinds

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secrets with the URLs of channels."""
        return tuple(dict.fromkeys(filter(None, (self.webhook, self.slack))))
