"""Which IP addresses a source may be reached at: public ones, unless its contract says otherwise.

A host name can resolve to any address, and to another one the next time. So a
name is resolved once, all that it stands for is looked at, and it is one of
these addresses that is connected to.
"""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

# Addresses of IPv6 that stand for one of IPv4 in their last 32 bits (RFC 6052, RFC 4291, RFC 2765).
_WITH_IPV4 = (IPv6Network("64:ff9b::/96"), IPv6Network("::/96"), IPv6Network("::ffff:0:0:0/96"))

Address = IPv4Address | IPv6Address


class NotAllowed(ValueError):
    """A host at an address that must not be connected to; the message names both."""


def is_public(text: str) -> bool:
    """Whether an IP address is one of the Internet's: not private, loopback, link-local, shared,
    reserved, multicast, or an IPv6 form of such a one."""
    address: Address = ip_address(text.partition("%")[0])
    meant = _inner(address) or address
    local = isinstance(meant, IPv6Address) and meant.is_site_local
    return meant.is_global and not meant.is_multicast and not local


def _inner(address: Address) -> IPv4Address | None:
    """The IPv4 address within one of IPv6, if any."""
    if isinstance(address, IPv4Address):
        return None
    if address.ipv4_mapped or address.sixtofour:
        return address.ipv4_mapped or address.sixtofour
    if address.teredo:
        return address.teredo[1]
    if any(address in network for network in _WITH_IPV4):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def resolve(host: str, port: int) -> list[str]:
    """The IP addresses that a name stands for, in the order to try them. Raises `OSError`."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError:
        # An empty or too long label: no name of DNS.
        raise socket.gaierror(socket.EAI_NONAME, "not a valid host name") from None
    return list(dict.fromkeys(str(place[0]) for *_, place in found))


def forbidden(addresses: list[str]) -> str:
    """The first of some addresses that is not public; empty if all are."""
    return next((address for address in addresses if not is_public(address)), "")
