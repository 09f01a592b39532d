"""Why a connection failed, and whether another attempt can help."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import ProxyError

from include.sources.extract.addresses import is_loopback

# OpenSSL's codes of a certificate that is not accepted (x509_vfy.h).
_NOT_YET_VALID, _EXPIRED = 9, 10
_SELF_SIGNED = {18, 19}
_OTHER_NAME = {62, 64}

# The reasons of a failed handshake that the same two programs always end in.
_NO_COMMON_TLS = (
    "UNSUPPORTED_PROTOCOL",
    "PROTOCOL_VERSION",
    "HANDSHAKE_FAILURE",
    "NO_PROTOCOLS_AVAILABLE",
    "NO_SHARED_CIPHER",
    "DH_KEY_TOO_SMALL",
    "UNSAFE_LEGACY_RENEGOTIATION_DISABLED",
)
_NOT_TLS = (
    "WRONG_VERSION_NUMBER",
    "HTTP_REQUEST",
    "RECORD_LAYER_FAILURE",
    "PACKET_LENGTH_TOO_LONG",
)
_WANTS_CERTIFICATE = ("CERTIFICATE_REQUIRED", "BAD_CERTIFICATE")

_TUNNEL = re.compile(r"Tunnel connection failed: (?P<status>\d{3})(?P<reason>[^'\")]*)")
_PROXIES = "HTTPS_PROXY, HTTP_PROXY and NO_PROXY"
_OWN_AUTHORITY = (
    "If your network's own authority signed it, set REQUESTS_CA_BUNDLE to that authority's "
    "certificate file"
)


@dataclass(frozen=True)
class Failure:
    """What went wrong, and what a person can do; nothing else helps if it is `permanent`."""

    what: str
    fix: str = ""
    permanent: bool = False


def failure_of(error: requests.RequestException, url: str) -> Failure:
    """The reason of a request without an answer."""
    host = urlsplit(url).hostname or ""
    causes = [*_causes(error)]
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _certificate(cause, host)
    if any(isinstance(cause, requests.exceptions.ProxyError | ProxyError) for cause in causes):
        return _proxy(causes, host)
    for cause in causes:
        found = _known(cause, host)
        if found is not None:
            return found
    return Failure(type(error).__name__)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and all that it was raised for; urllib3 keeps some of them as `reason`."""
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting:
        found = waiting.pop(0)
        if not isinstance(found, BaseException) or id(found) in seen:
            continue
        seen.add(id(found))
        yield found
        waiting += [found.__cause__, found.__context__, getattr(found, "reason", None), *found.args]


def _known(cause: BaseException, host: str) -> Failure | None:
    if isinstance(cause, socket.gaierror):
        return _name(cause, host)
    if isinstance(cause, ssl.SSLError):
        return _handshake(cause, host)
    if isinstance(cause, ConnectionRefusedError):
        fix = "Is the server running? For the sandbox, see `wandle status`."
        return Failure("connection refused", fix if is_loopback(host) else "")
    return None


def _certificate(error: ssl.SSLCertVerificationError, host: str) -> Failure:
    code, said = error.verify_code, error.verify_message
    if code in _OTHER_NAME:
        what = f"the certificate is not for {host}: {said}"
        fix = "Correct the host in `base_url`, or tell the publisher"
    elif code == _EXPIRED:
        what = "the certificate has expired"
        fix = "Tell the publisher, who must renew it; check this machine's clock"
    elif code == _NOT_YET_VALID:
        what = "the certificate is not valid yet"
        fix = "Check this machine's clock, or tell the publisher"
    elif code in _SELF_SIGNED:
        what = f"the certificate is not trusted: {said}"
        fix = f"Tell the publisher. {_OWN_AUTHORITY}"
    else:
        what = f"the certificate cannot be verified: {said}"
        fix = f"If its chain is not complete, tell the publisher. {_OWN_AUTHORITY}"
    return Failure(what, f"{fix}.", permanent=True)


def _handshake(error: ssl.SSLError, host: str) -> Failure | None:
    reason = str(error.reason or "").upper()
    if any(name in reason for name in _NOT_TLS):
        return Failure(
            "the server does not use TLS on this port",
            "Correct host and port in `base_url`.",
            permanent=True,
        )
    if any(name in reason for name in _WANTS_CERTIFICATE):
        return Failure(
            "the server requires a client certificate, which contracts do not support",
            "Ask the publisher for an address that does not need one.",
            permanent=True,
        )
    if any(name in reason for name in _NO_COMMON_TLS):
        what, fix = "no common TLS version or cipher", ""
        if "ALERT_HANDSHAKE_FAILURE" in reason:
            # A server of TLS 1.2 says the same if it lacks the client's certificate.
            what = f"{what}, or the server requires a client certificate"
            fix = ", or ask for an address that does not need one"
        return Failure(
            f"{what}: {reason}",
            f"{host} needs TLS 1.2 or later with current ciphers: tell the publisher{fix}.",
            permanent=True,
        )
    return Failure(f"the TLS handshake failed: {reason}") if reason else None


def _name(error: socket.gaierror, host: str) -> Failure:
    if error.errno in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", None)):
        return Failure(
            f"DNS has no address for {host}",
            "Correct the host in `base_url`; if it is right, check this machine's network and DNS.",
            permanent=True,
        )
    return Failure(f"DNS did not answer for {host}", "Check this machine's network.")


def _proxy(causes: list[BaseException], host: str) -> Failure:
    refused = next(filter(None, (_TUNNEL.search(str(cause)) for cause in causes)), None)
    if refused is None:
        return Failure("the proxy did not answer", f"Check {_PROXIES}.")
    said = f"{refused['status']}{refused['reason']}".strip()
    status = int(refused["status"])
    if status == requests.codes.proxy_authentication:
        fix = f"Put a valid login into the proxy's address: {_PROXIES}."
    else:
        fix = f"Ask for {host} to be allowed, or correct {_PROXIES}."
    return Failure(
        f"the proxy refuses to connect to {host}: {said}", fix, permanent=400 <= status < 500
    )
