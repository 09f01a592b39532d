"""What the read API is compared with: FastAPI over PostgreSQL with a pool, as it is often written.

It answers the same addresses, of one table, and keeps no log.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from typing import Any

import asyncpg
import orjson
from fastapi import FastAPI, Request, Response

from tests.benchmarks.api.mix import KEY, NAME, TYPES

DSN = "BENCH_API_DSN"
POOL = 10
_OPERATORS = {"eq": "=", "gte": ">=", "lte": "<=", "gt": ">", "lt": "<"}
_OF_ROWS, _OF_GROUPS = {"limit"}, {"group", "measure"}


@asynccontextmanager
async def lifespan(application: FastAPI) -> AsyncIterator[None]:
    """A pool while it runs."""
    async with asyncpg.create_pool(os.environ[DSN], min_size=POOL, max_size=POOL) as pool:
        application.state.pool = pool
        yield


app = FastAPI(lifespan=lifespan)


@app.get(f"/v1/datasets/{NAME}/rows")
async def rows(request: Request, limit: int = 100) -> Response:
    """Rows that meet all conditions, in the order of the key."""
    if unknown := set(request.query_params) - {*TYPES, *_OF_ROWS}:
        return _unknown(unknown)
    where, values = _conditions(request)
    statement = f"select * from {NAME}{where} order by {', '.join(KEY)} limit {min(limit, 1000)}"
    found = await request.app.state.pool.fetch(statement, *values)
    return _answer(request, {"rows": [dict(row) for row in found]})


@app.get(f"/v1/datasets/{NAME}/aggregate")
async def aggregate(request: Request, group: str) -> Response:
    """The sum of crimes in each group."""
    if unknown := set(request.query_params) - {*TYPES, *_OF_GROUPS} | {group} - {*TYPES}:
        return _unknown(unknown)
    where, values = _conditions(request)
    statement = f"select {group}, sum(crimes)::bigint as crimes from {NAME}{where} group by {group}"
    found = await request.app.state.pool.fetch(f"{statement} order by {group}", *values)
    return _answer(request, {"groups": [dict(row) for row in found]})


def _conditions(request: Request) -> tuple[str, list[Any]]:
    conditions, values = [], []
    for name, given in request.query_params.items():
        if name in TYPES:
            operator, _, value = given.rpartition(".")
            values.append(_typed(TYPES[name], value))
            conditions.append(f"{name} {_OPERATORS[operator or 'eq']} ${len(values)}")
    return (f" where {' and '.join(conditions)}" if conditions else ""), values


def _typed(type_: str, value: str) -> Any:
    if type_ == "date":
        return date.fromisoformat(value)
    return int(value) if type_ == "bigint" else value


def _answer(request: Request, content: dict[str, Any]) -> Response:
    body = orjson.dumps(content)
    etag = f'"{hashlib.blake2b(body, digest_size=10).hexdigest()}"'
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers={"etag": etag})
    return Response(body, media_type="application/json", headers={"etag": etag})


def _unknown(names: set[str]) -> Response:
    body = orjson.dumps({"title": f"Unknown: {', '.join(sorted(names))}", "known": [*TYPES]})
    return Response(body, 400, media_type="application/problem+json")
