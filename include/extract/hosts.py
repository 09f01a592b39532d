"""Restrict redirects and links to next pages to the contract's hosts, over HTTPS."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import SplitResult, parse_qsl, unquote_plus, urljoin, urlsplit

from include.redact import holds_secret
from include.sources.extract.addresses import host_of, split

_USER = re.compile(r"//[^/]*@")
# A relative segment of a path, possibly percent-encoded.
_DOT = re.compile(r"(?i)(?:\.|%2e){1,2}")


class Refused(ValueError):
    """An address that must not be requested; the message says which and why."""


class Hosts:
    """The hosts of a contract, and their addresses.

    `known` are their names, `asked` a URL that is requested. In production a
    host is requested at its own address; a sandbox mounts each under its name:
    `http://127.0.0.1:8082/api.example.org/...`. The parameter `without`, which
    carries a login, is removed from addresses: it is added to requests alone.
    """

    def __init__(self, known: Sequence[str], asked: str, without: str = "") -> None:
        self._known = known
        self._without = without
        parts = urlsplit(asked)
        self._root = f"{parts.scheme}://{parts.netloc}"
        self._own = host_of(asked)
        self._is_mounted = self._own not in known and _first_segment(parts.path) in known

    def follow_link(self, page: str, link: str, base_path: str) -> str:
        """The URL of the next page, from a link in the answer to a request to `page`.

        `base_path` is the path of the contract's base URL: dots in the link
        must not lead above it. Raises `Refused`.
        """
        target = self._resolved(self._public(page), link)
        path = _without_dots(target.path)
        # Resolving removes the dots of a relative link.
        has_dots = _has_dots(urlsplit(link.strip()).path) or _has_dots(target.path)
        if has_dots and not f"{path}/".startswith(f"{base_path}/"):
            raise Refused(f"{_shown(target)} is outside of the base path {base_path or '/'!r}")
        return self._asked_at(target, link)

    def follow_redirect(self, url: str, location: str) -> str:
        """The target of a redirect from `url`. Raises `Refused`."""
        target = self._resolved(url, location)
        relative = not urlsplit(location.strip()).netloc
        if self._is_mounted and relative and _first_segment(target.path) not in self._known:
            # The API does not know its mount path.
            target = self._resolved(self._public(url), location)
        return self._asked_at(target, location)

    def meant_by(self, url: str) -> str:
        """The host that a requested URL stands for, also where a sandbox mounts it."""
        return _first_segment(urlsplit(url).path) if self._is_mounted else host_of(url)

    def _public(self, url: str) -> str:
        """A requested URL, as the API itself would write it."""
        if not self._is_mounted:
            return url
        parts = urlsplit(url)
        host, _, rest = parts.path.lstrip("/").partition("/")
        return parts._replace(scheme="https", netloc=host, path=f"/{rest}").geturl()

    def _resolved(self, base: str, target: str) -> SplitResult:
        try:
            found = split(urljoin(base, target.strip()))
        except ValueError as error:
            raise Refused(f"it is malformed: {error}") from None
        if found.scheme not in ("http", "https") or not found.hostname:
            raise Refused(f"{found.scheme}: is not an HTTP address")
        return found

    def _asked_at(self, target: SplitResult, written: str) -> str:
        host = host_of(target.geturl())
        path = _without_dots(target.path)
        query = _without(target.query, self._without) if self._without else target.query
        rest = f"{path}?{query}" if query else path
        if holds_secret(rest):
            raise Refused(f"{_shown(target)} holds the secret that the source logs in with")
        if host == self._own and not self._is_mounted:
            return f"{self._root}{rest}"
        if host == self._own and _first_segment(path) in self._known:
            return f"{self._root}{rest}"
        if host not in self._known:
            raise Refused(
                f"expected one of the hosts {', '.join(self._known)}, found {host}. If the API is "
                "known to use it, add it to `extract.hosts` in the contract"
            )
        return f"{self._root}/{host}{rest}" if self._is_mounted else f"https://{host}{rest}"


def address_of(url: str) -> str:
    """A URL without its query, fragment and user information, in which a secret could be."""
    return _USER.sub("//", url.partition("?")[0].partition("#")[0])


def lost_parameters(url: str, target: str) -> list[str]:
    """The names of the parameters of a URL that a redirect to the same resource drops.

    It is the same if the path ends alike; an export that redirects to a file,
    for one, may drop what it was asked with.
    """
    sent, gets = urlsplit(url), urlsplit(target)
    if _last_segment(sent.path) != _last_segment(gets.path):
        return []
    kept = {name for name, _ in parse_qsl(gets.query, keep_blank_values=True)}
    names = dict.fromkeys(name for name, _ in parse_qsl(sent.query, keep_blank_values=True))
    return [name for name in names if name not in kept]


def _without(query: str, name: str) -> str:
    """A query without a parameter."""
    return "&".join(
        pair for pair in query.split("&") if unquote_plus(pair.partition("=")[0]) != name
    )


def _last_segment(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]


def _shown(target: SplitResult) -> str:
    return address_of(target.geturl())


def _first_segment(path: str) -> str:
    return path.lstrip("/").partition("/")[0]


def _has_dots(path: str) -> bool:
    return any(_DOT.fullmatch(segment) for segment in path.split("/"))


def _without_dots(path: str) -> str:
    """The path without `.` and `..` segments (RFC 3986, 5.2.4)."""
    segments = path.split("/")
    found: list[str] = []
    for segment in segments:
        if not _DOT.fullmatch(segment):
            found.append(segment)
        elif len(segment.lower().replace("%2e", ".")) == 2 and len(found) > 1:
            found.pop()
    if _DOT.fullmatch(segments[-1]):
        found.append("")
    return "/".join(found) or "/"
