"""Answers with their headers, ready in each encoding, and a memory of those given before."""

from __future__ import annotations

import gzip
import hashlib
import re
import threading
from collections import OrderedDict

import brotli

Headers = list[tuple[str, str]]

# Smaller bodies gain nothing.
_SMALLEST = 600
# Of answers that are made once for a version, and of all others.
_BEST = {"br": 9, "gzip": 9}
_FAST = {"br": 3, "gzip": 1}
# For how long a copy may be used, and used while a newer one is fetched; in seconds.
CACHE = "public, max-age=30, stale-while-revalidate=300, stale-if-error=86400"
EXPOSED = (
    "ETag, Link, Retry-After, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, X-Request-Id, "
    "Content-Range, Accept-Ranges"
)
OF_ALL: Headers = [
    ("access-control-allow-origin", "*"),
    ("access-control-expose-headers", EXPOSED),
    ("x-content-type-options", "nosniff"),
]
_MOST_REMEMBERED = 256
_CODING = re.compile(r"\s*([a-z*]+)\s*(?:;\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*)?", re.I | re.ASCII)


class Answer:
    """An answer with a body: status, headers and the body in each encoding.

    `etag` has no quotes; empty for answers that are not cached.
    """

    __slots__ = ("_levels", "_made", "_unchanged", "body", "etag", "headers", "status")

    def __init__(
        self,
        status: int,
        media_type: str,
        body: bytes,
        etag: str = "",
        *,
        cache: str = "no-store",
        more: Headers | tuple[tuple[str, str], ...] = (),
        is_hot: bool = False,
    ) -> None:
        self.status, self.body, self.etag = status, body, etag
        self.headers: Headers = [
            ("content-type", media_type),
            ("cache-control", cache),
            ("vary", "accept-encoding"),
            *OF_ALL,
            *more,
        ]
        self._levels = _BEST if is_hot else _FAST
        self._made: dict[str, tuple[Headers, bytes]] = {}
        self._unchanged: dict[str, Headers] = {}
        if is_hot:
            for encoding in ("", *_BEST):
                self.encoded(encoding)

    def encoded(self, encoding: str) -> tuple[Headers, bytes]:
        """Headers and body in an encoding, `br`, `gzip` or none; small bodies have none."""
        if len(self.body) < _SMALLEST:
            encoding = ""
        found = self._made.get(encoding)
        if found is None:
            body = self._compressed(encoding)
            headers = [*self.headers, ("content-length", str(len(body)))]
            if encoding:
                headers.append(("content-encoding", encoding))
            if self.etag:
                headers.append(("etag", tagged(self.etag, encoding)))
            found = self._made[encoding] = (headers, body)
        return found

    def unchanged(self, encoding: str) -> Headers:
        """The headers of a 304."""
        if len(self.body) < _SMALLEST:
            encoding = ""
        found = self._unchanged.get(encoding)
        if found is None:
            made = not_modified(tagged(self.etag, encoding), self.headers)
            found = self._unchanged[encoding] = made
        return found

    def _compressed(self, encoding: str) -> bytes:
        if encoding == "br":
            return bytes(brotli.compress(self.body, quality=self._levels["br"]))
        if encoding == "gzip":
            return gzip.compress(self.body, self._levels["gzip"], mtime=0)
        return self.body

    @property
    def nbytes(self) -> int:
        """About how much memory it takes, with what may yet be made of it."""
        return 2 * len(self.body) + 2000


def tagged(etag: str, encoding: str) -> str:
    """The entity tag of a representation."""
    return f'"{etag}-{encoding}"' if encoding else f'"{etag}"'


def not_modified(tag: str, headers: Headers) -> Headers:
    """The headers of a 304: those that a cache updates."""
    kept = [one for one in headers if one[0] not in ("content-type", "content-length")]
    return [*kept, ("etag", tag)]


def hash_of(*parts: bytes) -> str:
    """A short hash of content."""
    digest = hashlib.blake2b(digest_size=10)
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def matches(if_none_match: str, etag: str) -> bool:
    """Whether a client has this content, in whatever encoding it got it."""
    if if_none_match.strip() == "*":
        return True
    for tag in if_none_match.split(","):
        bare = tag.strip().removeprefix("W/").strip('"')
        if bare == etag or (bare.startswith(etag) and bare[len(etag) :] in ("-br", "-gzip")):
            return True
    return False


_accepted: dict[str, str] = {}


def encoding_for(accept_encoding: str) -> str:
    """The encoding to use: `br` before `gzip`, unless the client prefers it; empty for none."""
    known = _accepted.get(accept_encoding)
    if known is None:
        known = _negotiated(accept_encoding)
        if len(_accepted) < _MOST_REMEMBERED:
            _accepted[accept_encoding] = known
    return known


def _negotiated(accept_encoding: str) -> str:
    weights: dict[str, float] = {}
    for part in accept_encoding.split(","):
        if found := _CODING.fullmatch(part):
            weights[found[1].lower()] = float(found[2] or 1)
    others = weights.get("*", 0.0)
    weighted = [(weights.get(name, others), name) for name in ("br", "gzip")]
    best = max(weighted, key=lambda one: one[0])
    return best[1] if best[0] > 0 else ""


class Memory:
    """The answers given last, up to so many bytes."""

    def __init__(self, most_bytes: int) -> None:
        self._most, self._held = most_bytes, 0
        self._answers: OrderedDict[str, Answer] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, target: str) -> Answer | None:
        """The answer to a target, if it is remembered."""
        found = self._answers.get(target)
        if found is not None:
            try:  # noqa: SIM105, `suppress` costs as much as the rest of this
                self._answers.move_to_end(target)
            except KeyError:
                # Another thread has forgotten it just now.
                pass
        return found

    def add(self, target: str, answer: Answer) -> None:
        """Remember an answer; those that were not asked for longest are forgotten."""
        if answer.nbytes > self._most // 8:
            return
        with self._lock:
            if target in self._answers:
                return
            self._answers[target] = answer
            self._held += answer.nbytes
            while self._held > self._most:
                _, oldest = self._answers.popitem(last=False)
                self._held -= oldest.nbytes
