"""The application: what each address answers, by RSGI, without a framework on the way."""

from __future__ import annotations

import asyncio
import itertools
import logging
import re
import secrets
import signal
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from include.api import draining
from include.api.answers import (
    CACHE,
    OF_ALL,
    Answer,
    Headers,
    encoding_for,
    hash_of,
    matches,
    not_modified,
    tagged,
)
from include.api.data.aggregate import groups_of
from include.api.data.dataset import Dataset
from include.api.data.problems import Problem, quoted, unknown
from include.api.data.query import Aggregate, Rows, parse_aggregate, parse_none, parse_rows
from include.api.data.rows import page_of
from include.api.fixed import JSON
from include.api.journal import Entry, Journal, metrics
from include.api.keys import Key, key_of
from include.api.limits import Limiter, Rate
from include.api.replies import (
    Reply,
    file_reply,
    not_found,
    other_method,
    rate_headers,
    refusal,
    sent,
    too_many,
)
from include.api.store import Store
from include.api.version import Version

log = logging.getLogger(__name__)

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
# What costs more is computed in a thread, so that nobody else waits for it.
_AT_ONCE = 400_000
_MOST_COST = 1_000_000_000
_THREADS = 2
_MOST_WAITING = 32
_PAGES = ("/", "/v1")


@dataclass(frozen=True)
class Options:
    """How the application behaves. `hops` is how many proxies in front of it name the client."""

    rate: Rate
    hops: int = 0
    log_requests: bool = True
    log_clients: bool = False


# What is known of a request whose answer is computed in a thread: route, version, dataset, query,
# target, entity tag, and the request's headers.
_Large = tuple[str, Version, Dataset, Rows | Aggregate, str, str, Any]


class Application:
    """Answers requests from the current version of a store."""

    def __init__(
        self, store: Store, folder: Path, options: Options, keys: Mapping[str, Key]
    ) -> None:
        self._store, self._folder, self._options, self._keys = store, folder, options, keys
        self._limiter = Limiter()
        self._journal = Journal(folder, store.gauges, output=1 if options.log_requests else None)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="query")
        self._waiting = 0
        self._draining = False
        self._prefix = secrets.token_hex(4)
        self._numbers = itertools.count(1)

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to watch for versions, and to log."""
        loop.add_signal_handler(draining.SIGNAL, self._drain)
        # Ctrl-C reaches all processes of a terminal: only the main process ends this one.
        loop.add_signal_handler(signal.SIGINT, lambda: None)
        self._store.start()
        self._journal.start()

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        """After the last answer: write what was logged."""
        self._store.stop()
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._journal.stop()

    def _drain(self) -> None:
        self._draining = True
        draining.ignore_new_connections()

    async def __rsgi__(self, scope: Any, proto: Any) -> None:
        """Answer one request."""
        at, begun = time.time(), time.perf_counter_ns()
        headers = scope.headers
        method, path = scope.method, scope.path
        request_id = self._request_id(headers)
        client, more = "", [("x-request-id", request_id)]
        try:
            if path.startswith("/v1"):
                client, rate = self._client(scope, headers)
                verdict = self._limiter.take(client, rate)
                if verdict:
                    more += rate_headers(verdict)
                    if not verdict.allowed:
                        raise too_many(verdict)
            found = self._reply(method, path, scope.query_string, headers)
            reply = found if isinstance(found, Reply) else await self._computed(*found)
        except Problem as problem:
            reply = refusal(problem, path)
        except Exception:
            log.exception("serve: %s %s", quoted(method), quoted(path))
            reply = refusal(Problem(500, "This is a bug. Please report the request."), path)
        self._send(proto, method, reply, more)
        micros = (time.perf_counter_ns() - begun) // 1000
        shown = client if self._options.log_clients else ""
        self._journal.add(
            Entry(at, request_id, method, reply.route, reply.status, reply.size, micros, shown)
        )

    def _request_id(self, headers: Any) -> str:
        given = headers.get("x-request-id")
        if given and _REQUEST_ID.fullmatch(given):
            return str(given)
        return f"{self._prefix}{next(self._numbers):x}"

    def _client(self, scope: Any, headers: Any) -> tuple[str, Rate]:
        given = headers.get("x-api-key")
        if given is None:
            scheme, _, token = (headers.get("authorization") or "").partition(" ")
            given = token.strip() if scheme.lower() == "bearer" else None
        if given is not None:
            key = key_of(given, self._keys)
            if key is None:
                raise Problem(
                    401,
                    "This API key is not known. Without a key, the lower limits apply.",
                    (("www-authenticate", "Bearer"),),
                )
            return f"key {key.name}", key.rate
        if self._options.hops:
            named = (headers.get("x-forwarded-for") or "").split(",")
            if len(named) >= self._options.hops:
                return named[-self._options.hops].strip()[:64], self._options.rate
        return scope.client.rpartition(":")[0], self._options.rate

    def _reply(self, method: str, path: str, query: str, headers: Any) -> Reply | _Large:
        """The reply, or what must be computed in a thread for it."""
        if method not in ("GET", "HEAD"):
            return other_method(method)
        if not path.startswith("/v1/"):
            return self._probe(path)
        version = self._store.current
        if version is None:
            raise Problem(
                503,
                "No version is loaded yet. Try again in a few seconds.",
                (("retry-after", "2"),),
            )
        fixed = version.fixed.get(path)
        if fixed is not None:
            if query:
                parse_none(query)
            route = path if path.count("/") < 3 else "/v1/datasets/{name}"
            return sent(route, fixed, headers)
        parts = path.split("/", 5)
        if len(parts) in (4, 5) and parts[2] == "datasets":
            return self._of_dataset(version, parts[3], parts[4:], path, query, headers)
        raise not_found(path)

    def _of_dataset(
        self,
        version: Version,
        name: str,
        rest: list[str],
        path: str,
        query: str,
        headers: Any,
    ) -> Reply | _Large:
        if not rest:
            return file_reply(version, name, query, headers)
        kind = rest[0]
        if kind not in ("rows", "aggregate"):
            raise not_found(path)
        dataset = version.datasets.get(name)
        if dataset is None:
            raise unknown("dataset", name, version.datasets)
        route = f"/v1/datasets/{{name}}/{kind}"
        target = f"{path}?{query}"
        known = version.answers.get(target)
        if known is not None:
            return sent(route, known, headers)
        etag = hash_of(dataset.content.encode(), target.encode("utf-8", "surrogateescape"))
        asked_before = headers.get("if-none-match")
        if asked_before and asked_before.strip() != "*" and matches(asked_before, etag):
            tag = tagged(etag, encoding_for(headers.get("accept-encoding") or ""))
            return Reply(route, 304, not_modified(tag, _OF_JSON))
        parse = parse_rows if kind == "rows" else parse_aggregate
        asked: Rows | Aggregate = parse(query, dataset.columns)
        cost = _cost(dataset, asked)
        if cost > _MOST_COST:
            raise Problem(
                400, "This query would read too many values. Use fewer filters or measures."
            )
        if cost > _AT_ONCE:
            return route, version, dataset, asked, target, etag, headers
        return sent(route, _answer(version, dataset, asked, target, etag), headers)

    async def _computed(
        self,
        route: str,
        version: Version,
        dataset: Dataset,
        asked: Rows | Aggregate,
        target: str,
        etag: str,
        headers: Any,
    ) -> Reply:
        if self._waiting >= _MOST_WAITING:
            raise Problem(
                503, "Too many large queries are waiting. Try again.", (("retry-after", "1"),)
            )
        self._waiting += 1
        try:
            found = await asyncio.get_running_loop().run_in_executor(
                self._threads, _answer, version, dataset, asked, target, etag
            )
        finally:
            self._waiting -= 1
        return sent(route, found, headers)

    def _probe(self, path: str) -> Reply:
        plain = [("content-type", "text/plain; charset=utf-8"), ("cache-control", "no-store")]
        if path == "/healthz":
            return Reply(path, 200, plain, b"ok\n")
        if path == "/readyz":
            if self._draining:
                return Reply(path, 503, plain, b"the server is about to stop\n")
            if self._store.current is None:
                return Reply(path, 503, plain, b"no version is loaded yet\n")
            return Reply(path, 200, plain, f"{self._store.current.version}\n".encode())
        if path == "/metrics":
            return Reply(path, 200, plain, metrics(self._folder).encode())
        if path in _PAGES:
            return Reply(path, 308, [("location", "/v1/"), *OF_ALL])
        raise not_found(path)

    def _send(self, proto: Any, method: str, reply: Reply, more: Headers) -> None:
        headers = [*reply.headers, *more]
        if self._draining:
            headers.append(("connection", "close"))
        if method == "HEAD" or reply.status in (204, 304) or not reply.size:
            proto.response_empty(reply.status, headers)
        elif reply.file is None:
            proto.response_bytes(reply.status, headers, reply.body)
        elif reply.status == 200:
            proto.response_file(200, headers, str(reply.file))
        else:
            proto.response_file_range(
                reply.status, headers, str(reply.file), reply.start, reply.end
            )


_OF_JSON: Headers = [("cache-control", CACHE), ("vary", "accept-encoding"), *OF_ALL]


def _cost(dataset: Dataset, asked: Rows | Aggregate) -> int:
    """About how many values are looked at."""
    if isinstance(asked, Rows):
        sorting = 0 if dataset.is_ordered(asked.order) else 8 * len(asked.order)
        return dataset.rows * (len(asked.filters) + sorting) + asked.limit * len(asked.select)
    parts = len(asked.filters) + 4 * len(asked.group) + 3 * len(asked.measures)
    return dataset.rows * max(1, parts)


def _answer(
    version: Version, dataset: Dataset, asked: Rows | Aggregate, target: str, etag: str
) -> Answer:
    if isinstance(asked, Rows):
        path, _, query = target.partition("?")
        body, following = page_of(dataset, asked, path, query)
        more: Headers = [("link", f'<{following}>; rel="next"')] if following else []
    else:
        body, more = groups_of(dataset, asked), []
    made = Answer(200, JSON, body, etag, cache=CACHE, more=more)
    version.answers.add(target, made)
    return made
