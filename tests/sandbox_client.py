"""The sandbox without a network: a client of the app, generous in what it may ask."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import Any

import httpx
from starlette.applications import Starlette

from sandbox.app import create_app

AS_OF = date(2026, 11, 21)


class Client:
    """Asks an ASGI app without a network."""

    def __init__(self, app: Starlette, address: str = "192.0.2.1") -> None:
        self.app = app
        self.address = address

    def request(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, client=(self.address, 1))
            async with httpx.AsyncClient(transport=transport, base_url="http://sandbox") as client:
                return await client.request(method, path, **arguments)

        return asyncio.run(ask())

    def get(self, path: str, **arguments: Any) -> httpx.Response:
        return self.request("GET", path, **arguments)

    def post(self, path: str, **arguments: Any) -> httpx.Response:
        return self.request("POST", path, **arguments)


def make(**arguments: Any) -> Client:
    generous = {"seed": 7, "as_of": AS_OF, "rate_per_second": 1e6, "burst": 1_000_000}
    return Client(create_app(**{**generous, **arguments}))
