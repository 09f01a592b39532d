"""In production, sources are at public addresses, whatever their names, redirects and links say."""

from __future__ import annotations

import socket
from typing import Any
from urllib.parse import urlsplit

import pytest

from include.cli import explained
from include.errors import SourceRejected, WrongDefinition
from include.extract.client import Client
from include.extract.network import addresses
from include.extract.network.addresses import is_public
from include.jobs.operate.explain import Explained, Origin
from include.jobs.pipeline.extract import extract
from include.sources.extract.http import Rate
from include.sources.page import SentRequest
from tests.samples import contract, extracting, partition
from tests.security.hostile import hostile, whole

PRIVATE = [
    *("127.0.0.1", "127.255.255.254", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255"),  # noqa: S104
    *("192.168.1.1", "100.64.0.1", "169.254.169.254", "169.254.170.2", "224.0.0.1", "240.0.0.1"),
    *("255.255.255.255", "192.0.0.1", "198.18.0.1", "::1", "::", "fe80::1", "fe80::1%eth0"),
    *("fd00:ec2::254", "fc00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254"),
    *("::ffff:a9fe:a9fe", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "::127.0.0.1"),
    *("2001:db8::1", "fec0::1"),
]
PUBLIC = ["8.8.8.8", "151.101.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
# Ways to write 127.0.0.1 that resolvers know.
LOOPBACK = [
    *("127.0.0.1", "localhost", "2130706433", "0x7f000001", "0x7f.1", "127.1", "0177.0.0.1"),
    *("[::ffff:127.0.0.1]", "[::ffff:7f00:1]"),
]


@pytest.mark.parametrize("address", PRIVATE)
def test_these_addresses_are_not_public(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_these_addresses_are_public(address):
    assert is_public(address)


def client(*hosts: str, public_only: bool = True, private: tuple[str, ...] = ()) -> Client:
    extract = extracting(hosts=list(hosts), private_hosts=list(private), attempts=1)
    rate = Rate(per_second=1000, burst=1000)
    return Client(contract(extract=extract).extract, rate, public_only=public_only)


def ask(asking: Client, url: str) -> bytes:
    request = SentRequest(method="GET", url=url)
    answer = asking.ask("gauges kingston 2017-05", request, check=lambda answer: None)
    return answer.body.read()


def answered(path: str, send: Any) -> None:
    send(whole(b"[]"))


@pytest.mark.parametrize("host", LOOPBACK)
def test_no_form_of_a_loopback_address_is_connected_to(host):
    with hostile(answered) as server:
        url = f"http://{host}:{urlsplit(server.url).port}/v1"
        with pytest.raises(SourceRejected, match=r"not a public address.*`extract.private_hosts`"):
            ask(client(), url)

    assert server.connections == 0


def test_a_host_that_the_contract_lists_may_be_private():
    with hostile(answered) as server:
        host = urlsplit(server.url).netloc
        assert ask(client(host, private=(host,)), f"{server.url}/v1") == b"[]"


def test_a_sandbox_may_be_at_a_loopback_address():
    with hostile(answered) as server:
        assert ask(client(public_only=False), f"{server.url}/v1") == b"[]"


def test_private_hosts_are_among_the_hosts_that_are_requested():
    with pytest.raises((WrongDefinition, ValueError), match=r"`private_hosts` names 'other\.test'"):
        client(private=("other.test",))


def _resolving(monkeypatch: Any, *answers: list[str]) -> list[str]:
    """Names resolve to each of these in turn; returns the names that were asked for."""
    asked: list[str] = []

    def getaddrinfo(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        found = answers[min(len(asked), len(answers) - 1)]
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (item, port)) for item in found]

    monkeypatch.setattr(addresses.socket, "getaddrinfo", getaddrinfo)
    return asked


def _connecting(monkeypatch: Any) -> list[str]:
    """No connection is made; returns the addresses that one was tried to."""
    tried: list[str] = []

    def connect(address: tuple[str, int], *_: Any, **__: Any) -> None:
        tried.append(address[0])
        raise ConnectionRefusedError("not in this test")

    monkeypatch.setattr("include.extract.network.connection.create_connection", connect)
    return tried


def test_a_name_is_resolved_once_and_only_what_was_checked_is_connected_to(monkeypatch):
    """DNS rebinding: a public address when it is looked at, a private one when it is used."""
    asked = _resolving(monkeypatch, ["8.8.8.8"], ["127.0.0.1"])
    tried = _connecting(monkeypatch)

    with pytest.raises(Exception, match="no answer"):
        ask(client(), "https://api.test/v1/gauges")

    assert (asked, tried) == (["api.test"], ["8.8.8.8"])


def test_a_name_with_a_private_address_among_public_ones_is_refused(monkeypatch):
    _resolving(monkeypatch, ["8.8.8.8", "169.254.169.254"])
    tried = _connecting(monkeypatch)

    with pytest.raises(SourceRejected, match=r"api\.test is at 169\.254\.169\.254"):
        ask(client(), "https://api.test/v1/gauges")

    assert tried == []


def test_a_redirect_to_a_listed_name_with_a_private_address_is_refused():
    """The first host may be private, the one that it redirects to may not."""

    def redirect(path: str, send: Any) -> None:
        port = urlsplit(server.url).port
        send(
            b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nConnection: close\r\n"
            b"Location: https://localhost:%d/secret\r\n\r\n" % port
        )

    with hostile(redirect) as server:
        first = urlsplit(server.url).netloc
        asking = client(first, f"localhost:{urlsplit(server.url).port}", private=(first,))
        with pytest.raises(SourceRejected, match=r"localhost is at .*, which is not a public"):
            ask(asking, f"{server.url}/v1")

    assert server.paths == ["/v1"]


@pytest.mark.parametrize(("live", "refused"), [("1", True), ("", False)])
def test_the_deployment_says_whether_addresses_must_be_public(
    lake, deployment, monkeypatch, live, refused
):
    _resolving(monkeypatch, ["127.0.0.1"])
    tried = _connecting(monkeypatch)
    monkeypatch.setenv("WANDLE_LIVE", live)
    monkeypatch.setenv("WANDLE_SANDBOX_URL", "http://127.0.0.1:9")

    with pytest.raises(Exception, match="public address" if refused else "no answer"):
        extract(
            contract(extract=extracting(attempts=1)), partition(),
            lake=lake, run_id="run",
        )  # fmt: skip

    assert tried == ([] if refused else ["127.0.0.1"])


def test_the_manifest_and_explain_name_every_address_on_the_way(
    lake, deployment, monkeypatch, capsys
):
    def redirect(path: str, send: Any) -> None:
        number = int(path.rpartition("=")[2]) if "step=" in path else 0
        if number == 2:
            send(whole(b'[{"id": 1, "note": "n"}]'))
            return
        place = f"/api.test/v1/moved/{number + 1}?step={number + 1}"
        send(f"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: {place}\r\n\r\n".encode())

    with hostile(redirect) as server:
        monkeypatch.setenv("WANDLE_SANDBOX_URL", server.url)
        landing_id = extract(contract(), partition(), lake=lake, run_id="run")

    manifest = lake.landings.manifest(partition(), landing_id)
    page, record = manifest.pages[0], b'{"id": 1, "note": "n"}'
    steps = [f"{server.url}/api.test/v1/moved/{number}" for number in (1, 2)]
    assert list(page.redirects) == steps
    origin = Origin(partition(), {"id": 1}, manifest, "s3://x", page, 1, 1, record, True)
    explained.show(Explained(1, [origin]))
    shown = " ".join(capsys.readouterr().out.split())
    assert " ".join(f"redirected to {step}" for step in steps) in shown
    assert explained.as_objects(Explained(1, [origin]))["rows"][0]["redirects"] == page.redirects
