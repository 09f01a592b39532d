"""Readers in processes of their own, so that they wait only for the database."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg

FORKING = multiprocessing.get_context("forkserver")
FORKING.set_forkserver_preload(["tests.integration.readers"])

# A reader that waits so long for a lock gets an error, and the test fails.
LONGEST_WAIT_SECONDS = 1


@dataclass
class Seen:
    """What one reader has seen: its answers, how many, the slowest, and what went wrong."""

    answers: set[Any] = field(default_factory=set)
    reads: int = 0
    slowest_seconds: float = 0.0
    error: str | None = None


def read(dsn: str, query: str, ready: Any, done: Any, pipe: Any) -> None:
    """Ask the same until `done`, each time in a transaction of its own; send what was seen."""
    seen = Seen()
    try:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(f"set lock_timeout = '{LONGEST_WAIT_SECONDS}s'")  # type: ignore[arg-type]
            ready.release()
            while not done.is_set():
                began = time.monotonic()
                seen.answers.add(connection.execute(query).fetchone())  # type: ignore[arg-type]
                seen.slowest_seconds = max(seen.slowest_seconds, time.monotonic() - began)
                seen.reads += 1
                time.sleep(0.002)
    except psycopg.Error as error:
        seen.error = f"{type(error).__name__}: {error}"
        ready.release()
    pipe.send(seen)


@contextmanager
def reading(**queries: tuple[str, str]) -> Iterator[dict[str, Seen]]:
    """Let readers, by name with DSN and query, read while the block runs; filled at its end."""
    done, ready = FORKING.Event(), FORKING.Semaphore(0)
    found: dict[str, Seen] = {}
    readers = {}
    for name, (dsn, query) in queries.items():
        mine, theirs = FORKING.Pipe()
        process = FORKING.Process(target=read, args=(dsn, query, ready, done, theirs), daemon=True)
        process.start()
        readers[name] = (process, mine)
    try:
        for _ in readers:
            assert ready.acquire(timeout=60), "a reader did not begin"
        yield found
    finally:
        done.set()
        for name, (process, pipe) in readers.items():
            if pipe.poll(30):
                found[name] = pipe.recv()
            process.join(10)
            process.kill()
