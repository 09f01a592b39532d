"""Messages on their way: kept in the books until each channel has accepted them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from include.aws.secrets import Secrets
from include.errors import PermanentError, PipelineError, RetryableError, ServiceUnavailable
from include.extract.login.secret import Secret, checked
from include.jobs.alerts import channels
from include.jobs.alerts.message import Content
from include.jobs.logins import ON_AWS, SecretOf, kept, parsed, secret_in
from include.settings import Settings
from include.sources.alerts import Alerts, email_in
from include.sources.model import Contract, every_contract
from include.warehouse.books import alerts as books
from include.warehouse.connection import Cursor, connect

log = logging.getLogger(__name__)

# After this, a message is no longer sent: it would describe what changed long ago.
GIVE_UP_AFTER = timedelta(days=3)
# The secret with the login of the mail server, and the role that sends messages on AWS.
SMTP = "smtp"
ROLE = "alert"

Channel = tuple[str, str]


def channels_of(contract: Contract) -> list[Channel]:
    """Each channel of a contract, and its target: one address, secret or topic."""
    alerts = contract.alerts
    found: list[Channel] = []
    if alerts.are_on:
        owner = email_in(contract.owner)
        addresses = dict.fromkeys([*([owner] if owner else []), *alerts.email])
        found += [("email", address) for address in addresses]
    found += [("webhook", alerts.webhook)] if alerts.webhook else []
    found += [("slack", alerts.slack)] if alerts.slack else []
    found += [("sns", alerts.sns)] if alerts.sns else []
    return found


def put(cursor: Cursor, channel: Channel, content: Content) -> str:
    """Keep a message until it is sent; returns its id."""
    message_id = str(uuid4())
    books.write_message(cursor, message_id, *channel, content)
    return message_id


@dataclass(frozen=True)
class Sender:
    """Sends messages with the secrets and the mail server of this deployment.

    `secret_of` finds a secret outside AWS; by default, in the state folder.
    """

    settings: Settings
    secret_of: SecretOf | None = None

    def send(self, message_id: str, channel: Channel, content: Content) -> None:
        """Send a message. Raises as `include.jobs.alerts.channels` does."""
        kind, target = channel
        match kind:
            case "email":
                channels.send_email(message_id, target, content, self._mail_server())
            case "webhook":
                hosts = _private_hosts(target)
                channels.send_webhook(message_id, self._secret(target), content, hosts)
            case "slack":
                hosts = _private_hosts(target)
                channels.send_slack(message_id, self._secret(target), content, hosts)
            case "sns":
                topic = target.replace("{environment}", self.settings.environment or "local")
                channels.send_sns(topic, content, self.settings.session(ROLE))
            case _:
                raise PermanentError(f"alerts: unknown channel {kind!r}.")

    def _mail_server(self) -> channels.MailServer:
        login = self._read(SMTP)
        return channels.MailServer(
            url=self.settings.need("smtp"),
            sender=self.settings.need("smtp_from"),
            login=checked("alerts", SMTP, login, needs_login=True) if login else None,
        )

    def _secret(self, name: str) -> Secret:
        return checked("alerts", name, self._read(name), needs_login=False)

    def _read(self, name: str) -> Secret | None:
        if not self.settings.environment:
            return (self.secret_of or self._kept)(name)
        secrets = Secrets(self.settings.session(ROLE), self.settings.environment)
        text = secrets.read(f"{ON_AWS}/{name}")
        return None if text is None else secret_in(name, parsed(name, text))

    def _kept(self, name: str) -> Secret | None:
        return kept(self.settings.home, name)


def deliver(dsn: str, sender: Sender) -> int:
    """Send every message that was not sent yet; returns how many were sent.

    A message stays locked while it is sent, so that no other process sends it,
    and is marked in the same transaction: a second copy is sent only by a
    process that is killed between the two, with the same id.

    Raises `ServiceUnavailable` if some may be accepted later, and
    `PermanentError` if a person must act first. Both are in the books.
    """
    count, failures = 0, dict[str, PipelineError]()
    since = datetime.now(UTC) - GIVE_UP_AFTER
    with connect(dsn) as connection, connection.cursor() as cursor:
        while message := books.next_message(cursor, since, tuple(failures)):
            message_id = message["message_id"]
            try:
                sender.send(message_id, (message["channel"], message["target"]), message["content"])
            except PipelineError as error:
                failures[message_id] = error
                books.not_sent(cursor, message_id, str(error))
            else:
                count += 1
                books.sent(cursor, message_id)
                log.info("alerts: sent a message by %s", message["channel"])
            connection.commit()
    if failures:
        raise _failure(failures)
    return count


def _failure(failures: Mapping[str, PipelineError]) -> PipelineError:
    reasons = " ".join(dict.fromkeys(map(str, failures.values())))
    later = any(isinstance(error, RetryableError) for error in failures.values())
    text = (
        f"alerts: {len(failures)} messages were not sent: {reasons} The data are not affected. "
        f"`freshness_watch` tries again every hour for {GIVE_UP_AFTER.days} days; "
        "`wandle alerts` shows them."
    )
    return ServiceUnavailable(text) if later else PermanentError(text)


def _private_hosts(secret: str) -> frozenset[str]:
    """The hosts in one's own network, by the contracts that name a secret."""
    using: Iterable[Alerts] = (item.alerts for item in every_contract().values())
    return frozenset(
        host for alerts in using if secret in alerts.secrets for host in alerts.private_hosts
    )


def public_message(row: Mapping[str, Any]) -> dict[str, Any]:
    """A message of the books in a form for people and scripts."""
    return {
        "message": row["message_id"],
        "created_at": row["created_at"].isoformat(timespec="seconds"),
        "channel": row["channel"],
        "target": row["target"],
        "title": row["content"]["title"],
        "sent_at": row["sent_at"].isoformat(timespec="seconds") if row["sent_at"] else None,
        "attempts": row["attempts"],
        "error": row["error"],
    }
