"""The addresses of a source: hosts, ports, and what a URL must not contain."""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

# What no host's name contains. Letters of other alphabets are encoded when it is looked up.
_NOT_IN_A_NAME = re.compile(r"[^\w.:{}-]")

DEFAULT_PORTS = {"https": 443, "http": 80}


def split(url: str) -> SplitResult:
    """The parts of a URL. Raises `ValueError` for a malformed one, or one with a user name."""
    parts = urlsplit(url)
    # Raises for an invalid port.
    _ = parts.port
    if parts.username is not None or parts.password is not None:
        raise ValueError("it contains user information")
    name = parts.hostname or ""
    if _NOT_IN_A_NAME.search(name):
        raise ValueError("expected a host name: `files.example.org`")
    # Raises for a name that cannot be looked up.
    name.encode("idna")
    return parts


def host_of(url: str) -> str:
    """Host and port of a URL in lower case, without the scheme's default port.

    Raises `ValueError` as `split` does.
    """
    parts = split(url)
    name = parts.hostname or ""
    shown = f"[{name}]" if ":" in name else name
    default = DEFAULT_PORTS.get(parts.scheme)
    return shown if parts.port in (None, default) else f"{shown}:{parts.port}"


def is_loopback(name: str) -> bool:
    """Whether a host, without its port, is this machine: `localhost`, 127.0.0.1, ::1."""
    try:
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False


def base_url(value: str) -> str:
    """A normalised base URL: lower-case host, no default port, no trailing slash.

    Raises `ValueError` for one with user information, a query or a fragment,
    and for one without TLS, unless its host is this machine.
    """
    parts = split(value)
    if parts.scheme not in DEFAULT_PORTS:
        raise ValueError("expected an address that begins with https://")
    if not parts.hostname or parts.query or parts.fragment:
        raise ValueError("expected only scheme, host and path")
    if re.search(r"[\s{}]", value):
        raise ValueError("expected no blanks or placeholders; they go into `request`")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError(
            "expected https://; http:// is for this machine only: localhost, 127.0.0.1 or [::1]"
        )
    return f"{parts.scheme}://{host_of(value)}{parts.path.rstrip('/')}"


def host_name(value: str) -> str:
    """A normalised host, with its port unless that is 443. Raises `ValueError`."""
    parts = split(f"https://{value}")
    if not parts.hostname or parts.netloc != value or "{" in value:
        raise ValueError("expected a host name: `files.example.org`")
    return host_of(f"https://{value}")
