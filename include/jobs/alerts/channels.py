"""Send a message by e-mail, webhook, Slack or SNS."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate
from typing import Any
from urllib.parse import urlsplit

import boto3
import requests

from include.aws.failures import CONFIG, aws_errors
from include.errors import PermanentError, ServiceUnavailable
from include.extract.login.secret import Secret
from include.extract.network.addresses import NotAllowed
from include.extract.network.connection import Guard, Session, guarded
from include.extract.network.deadline import Fetch
from include.extract.network.failures import failure_of
from include.jobs.alerts.message import Content, as_text
from include.jobs.alerts.problems import shown
from include.redact import keep_secret
from include.sources.extract.addresses import is_loopback, split
from include.sources.limits import Limits

# Of the whole conversation with a server.
SECONDS = 30
# Slack refuses longer texts and more blocks; SNS refuses a longer subject.
SLACK_CHARACTERS = 2900
SNS_CHARACTERS = 100

_OK = range(200, 300)


@dataclass(frozen=True)
class MailServer:
    """The mail server of the deployment: `smtp://host:587` or `smtps://host:465`.

    `login` is its user name and password, if it needs one.
    """

    url: str
    sender: str
    login: Secret | None = None


def send_email(message_id: str, recipient: str, content: Content, server: MailServer) -> None:
    """Send it to one address.

    Raises `ServiceUnavailable` if the server does not answer or says that it
    may accept it later, and `PermanentError` if it never will.
    """
    parts = urlsplit(server.url)
    host, tls = parts.hostname or "", parts.scheme == "smtps"
    port = parts.port or (465 if tls else 587)
    mail = EmailMessage()
    mail["From"] = server.sender
    mail["To"] = recipient
    mail["Subject"] = content["title"]
    mail["Date"] = formatdate()
    mail["Message-ID"] = f"<{message_id}@wandle>"
    # So that nobody's absence is announced to it.
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(as_text(content))
    context = ssl.create_default_context()
    with _mail_errors(f"alerts: the mail server {host}:{port}"):
        smtp = (
            smtplib.SMTP_SSL(host, port, timeout=SECONDS, context=context)
            if tls
            else smtplib.SMTP(host, port, timeout=SECONDS)
        )
        with smtp:
            if not tls and (not is_loopback(host) or smtp.has_extn("starttls")):
                smtp.starttls(context=context)
            if server.login:
                smtp.login(server.login.login, server.login.password)
            smtp.send_message(mail)


@contextmanager
def _mail_errors(who: str) -> Iterator[None]:
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise PermanentError(
            f"{who}: the certificate is not trusted: {error.verify_message}. If your network's own "
            "authority signed it, set SSL_CERT_FILE to that authority's certificate file."
        ) from None
    except smtplib.SMTPRecipientsRefused as error:
        code, said = next(iter(error.recipients.values()))
        raise _refused(who, code, said) from None
    except smtplib.SMTPResponseException as error:
        raise _refused(who, error.smtp_code, error.smtp_error) from None
    except smtplib.SMTPNotSupportedError as error:
        raise PermanentError(
            f"{who}: {error}. It must offer STARTTLS and, with a secret `smtp`, a login."
        ) from None
    except (OSError, smtplib.SMTPException) as error:
        raise ServiceUnavailable(
            f"{who} did not accept the message ({type(error).__name__}). Is WANDLE_SMTP right?"
        ) from None


def _refused(who: str, code: int, said: bytes | str) -> PermanentError | ServiceUnavailable:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    told = f"{who} refused the message: {code} {shown(text)[:200]}"
    if 400 <= code < 500:
        return ServiceUnavailable(f"{told}. It will be sent again later.")
    return PermanentError(f"{told}. Check the recipient, WANDLE_SMTP_FROM, and the secret `smtp`.")


def send_webhook(
    message_id: str, secret: Secret, content: Content, private_hosts: Collection[str]
) -> None:
    """Post it as JSON. Raises as `_post` does."""
    body = {"id": message_id, "text": as_text(content), **content}
    _post(secret, body, message_id, private_hosts)


def send_slack(
    message_id: str, secret: Secret, content: Content, private_hosts: Collection[str]
) -> None:
    """Post it to a Slack incoming webhook, as plain text. Raises as `_post` does."""
    text = as_text(content)
    if len(text) > SLACK_CHARACTERS:
        text = f"{text[:SLACK_CHARACTERS]} [...]"
    body = {
        # For notifications; Slack would read it as markup.
        "text": _without_markup(content["title"]),
        "mrkdwn": False,
        "blocks": [
            _plain("header", content["title"][:150]),
            _plain("section", text),
        ],
    }
    _post(secret, body, message_id, private_hosts)


def _plain(kind: str, text: str) -> dict[str, Any]:
    return {"type": kind, "text": {"type": "plain_text", "text": text, "emoji": False}}


def _without_markup(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def send_sns(topic: str, content: Content, session: boto3.Session) -> None:
    """Publish it to an SNS topic of this account.

    Raises `PermanentError` and `ServiceUnavailable`.
    """
    subject = content["title"].encode("ascii", "replace").decode()[:SNS_CHARACTERS].strip()
    with aws_errors(
        f"alerts: publishing to {topic}",
        "Check that the topic exists and the role of the job `alert` may publish to it.",
    ):
        caller = session.client("sts", config=CONFIG).get_caller_identity()
        partition = caller["Arn"].split(":")[1]
        arn = f"arn:{partition}:sns:{session.region_name}:{caller['Account']}:{topic}"
        client = session.client("sns", config=CONFIG)
        client.publish(TopicArn=arn, Subject=subject, Message=as_text(content))


def checked_url(secret: Secret) -> str:
    """The URL in a secret, which no message or log shows. Raises `PermanentError`, without it."""
    url, fix = secret.password, f"Set it again with `wandle secrets set {secret.name}`."
    try:
        parts = split(url)
    except ValueError:
        raise PermanentError(f"alerts: the secret {secret.name!r} is not a URL. {fix}") from None
    host = parts.hostname or ""
    if not host or not (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))):
        raise PermanentError(
            f"alerts: the secret {secret.name!r} is not a URL that begins with https://. {fix}"
        )
    keep_secret(url, secret.name)
    # As libraries log it.
    for part in (parts.path, f"{parts.path}?{parts.query}"):
        if len(part) > len("/webhook"):
            keep_secret(part, secret.name)
    return url


def _post(
    secret: Secret, body: dict[str, Any], message_id: str, private_hosts: Collection[str]
) -> None:
    """Post JSON to the URL in a secret.

    Raises `ServiceUnavailable` if it is not accepted now, and `PermanentError`
    if it never will be, both without the URL.
    """
    url = checked_url(secret)
    host = urlsplit(url).hostname or ""
    names = {urlsplit(f"https://{each}").hostname for each in private_hosts}
    who = f"alerts: {host}, of the secret {secret.name!r},"
    deadline = Fetch(Limits(request_seconds=SECONDS, fetch_seconds=SECONDS)).request()
    try:
        with guarded(Guard(deadline, _is_one_of(names))), Session() as session:
            response = session.post(
                url,
                json=body,
                headers={"Idempotency-Key": message_id},
                timeout=SECONDS,
                allow_redirects=False,
                stream=True,
            )
            status = response.status_code
            response.close()
    except NotAllowed as error:
        raise PermanentError(
            f"{who} is not sent to: {error}. If it is in your own network, name it under "
            "`alerts.private_hosts` in the contract."
        ) from None
    except requests.RequestException as error:
        found = failure_of(error, url)
        told = f"{who} did not answer ({found.what})."
        if found.permanent:
            raise PermanentError(f"{told} Check the URL in the secret.") from None
        raise ServiceUnavailable(f"{told} It will be sent again later.") from None
    if status in _OK:
        return
    if status == 429 or status >= 500:
        raise ServiceUnavailable(f"{who} answered HTTP {status}. It will be sent again later.")
    raise PermanentError(
        f"{who} answered HTTP {status}. Check the URL in the secret: redirects are not followed."
    )


def _is_one_of(names: Collection[str | None]) -> Callable[[str], bool]:
    return lambda host: host in names
