"""Why there is no answer: what it says, what to do, and that only temporary failures retry."""

from __future__ import annotations

import socket
import ssl
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from include.errors import SourceRejected, SourceUnavailable
from include.extract.client import Client
from include.sources.extract.http import Rate
from include.sources.page import SentRequest
from tests.samples import contract, extracting

pytestmark = pytest.mark.allow_hosts(["127.0.0.1", "localhost", "::1"])

NOW = datetime.now(UTC)
TODAY = (NOW - timedelta(days=1), NOW + timedelta(days=1))
EXPIRED = (NOW - timedelta(days=9), NOW - timedelta(days=2))
NOT_YET = (NOW + timedelta(days=2), NOW + timedelta(days=9))


@pytest.fixture(autouse=True)
def pauses(monkeypatch) -> list[float]:
    slept: list[float] = []
    monkeypatch.setattr("tenacity.nap.time.sleep", slept.append)
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    return slept


def certificate(
    folder: Path, *names: str, valid: tuple[datetime, datetime] = TODAY
) -> tuple[Path, Path]:
    """A self-signed certificate for names, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test")])
    addresses = [x509.IPAddress(ip_address(name)) for name in names if name[0].isdigit()]
    texts = [x509.DNSName(name) for name in names if not name[0].isdigit()]
    made = (
        x509.CertificateBuilder()
        .subject_name(issuer)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(valid[0])
        .not_valid_after(valid[1])
        .add_extension(x509.SubjectAlternativeName([*texts, *addresses]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / "certificate.pem", folder / "key.pem"
    files[0].write_bytes(made.public_bytes(Encoding.PEM))
    files[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return files


def encrypted(connection: socket.socket, context: ssl.SSLContext) -> socket.socket:
    """The connection after its handshake, or, if that fails, after the client has left.

    A server that closes with a request unread resets the connection, and a reset overtakes the
    alert that says why.
    """
    spoken = context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
    try:
        spoken.do_handshake()
    except ssl.SSLError:
        spoken.shutdown(socket.SHUT_WR)
        while spoken.recv(4096):
            pass
        spoken.close()
        raise
    return spoken


@contextmanager
def listening(answer: bytes = b"", context: ssl.SSLContext | None = None) -> Iterator[int]:
    """A server on the loopback address that sends `answer` to every connection; its port."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with suppress(OSError), connection:
                connection.settimeout(5)
                spoken = encrypted(connection, context) if context else connection
                spoken.recv(4096)
                spoken.sendall(answer)
                spoken.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield server.getsockname()[1]
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join(timeout=5)


def ask(url: str) -> bytes:
    extract = contract(extract=extracting(attempts=3)).extract
    asking = Client(extract, Rate(per_second=1000, burst=1000), public_only=False)
    request = SentRequest(method="GET", url=url)
    return asking.ask("gauges uk 2026-11", request, check=lambda answer: None).body.read()


def served(folder: Path, *names: str, valid: tuple[datetime, datetime] = TODAY) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate(folder, *names, valid=valid))
    return context


def trust(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(folder / "certificate.pem"))


def refused(url: str, pauses: list[float]) -> str:
    """The message of a failure that is not tried again."""
    with pytest.raises(SourceRejected) as caught:
        ask(url)
    assert pauses == []
    assert "Retrying will not help" in str(caught.value)
    return str(caught.value)


def test_a_trusted_certificate_is_accepted(tmp_path, monkeypatch):
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]"
    with listening(answer, served(tmp_path, "127.0.0.1")) as port:
        trust(tmp_path, monkeypatch)
        assert ask(f"https://127.0.0.1:{port}/v1") == b"[]"


def test_a_certificate_for_another_host_is_permanent_and_names_both(tmp_path, monkeypatch, pauses):
    with listening(context=served(tmp_path, "api.example.org")) as port:
        trust(tmp_path, monkeypatch)
        by_name = refused(f"https://localhost:{port}/v1", pauses)
        by_address = refused(f"https://127.0.0.1:{port}/v1", pauses)

    assert "the certificate is not for localhost" in by_name
    assert "the certificate is not for 127.0.0.1" in by_address
    assert "Correct the host in `base_url`" in by_name


def test_a_certificate_of_an_unknown_authority_says_how_to_trust_it(tmp_path, pauses):
    with listening(context=served(tmp_path, "127.0.0.1")) as port:
        said = refused(f"https://127.0.0.1:{port}/v1", pauses)

    assert "the certificate is not trusted: self-signed certificate" in said
    assert "REQUESTS_CA_BUNDLE" in said


@pytest.mark.parametrize(
    ("valid", "said"),
    [(EXPIRED, "the certificate has expired"), (NOT_YET, "the certificate is not valid yet")],
)
def test_a_certificate_out_of_its_time_is_permanent(tmp_path, monkeypatch, pauses, valid, said):
    with listening(context=served(tmp_path, "127.0.0.1", valid=valid)) as port:
        trust(tmp_path, monkeypatch)
        found = refused(f"https://127.0.0.1:{port}/v1", pauses)

    assert said in found
    assert "this machine's clock" in found


def test_a_server_without_tls_is_permanent(pauses):
    with listening(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        said = refused(f"https://127.0.0.1:{port}/v1", pauses)

    assert "the server does not use TLS on this port" in said


def test_a_server_with_only_old_tls_is_permanent(tmp_path, monkeypatch, pauses):
    context = served(tmp_path, "127.0.0.1")
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings(action="ignore"):
        context.minimum_version = ssl.TLSVersion.TLSv1_1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with listening(context=context) as port:
        said = refused(f"https://127.0.0.1:{port}/v1", pauses)

    assert "no common TLS version or cipher" in said
    assert "TLS 1.2 or later" in said


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_server_that_requires_a_client_certificate_is_permanent(
    tmp_path, monkeypatch, pauses, version
):
    context = served(tmp_path, "127.0.0.1")
    context.minimum_version = context.maximum_version = version
    context.verify_mode = ssl.CERT_REQUIRED
    with listening(context=context) as port:
        trust(tmp_path, monkeypatch)
        said = refused(f"https://127.0.0.1:{port}/v1", pauses)

    assert "the server requires a client certificate" in said
    assert "an address that does not need one" in said


def test_a_connection_refused_says_so_and_is_tried_again(pauses):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    with pytest.raises(SourceUnavailable, match=r"no answer from .* \(connection refused\)\."):
        ask(f"http://127.0.0.1:{port}/v1")

    assert len(pauses) == 2


@pytest.mark.parametrize("host", ["nowhere.invalid", "a..b"])
def test_a_name_that_dns_does_not_have_is_permanent(monkeypatch, pauses, host):
    def getaddrinfo(name: str, *_: object, **__: object) -> None:
        name.encode("idna")
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr("include.extract.network.addresses.socket.getaddrinfo", getaddrinfo)

    assert f"DNS has no address for {host}" in refused(f"https://{host}/v1", pauses)


def test_a_dns_that_does_not_answer_is_tried_again(monkeypatch, pauses):
    def getaddrinfo(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr("include.extract.network.addresses.socket.getaddrinfo", getaddrinfo)

    with pytest.raises(SourceUnavailable, match=r"DNS did not answer for api\.test"):
        ask("https://api.test/v1")

    assert len(pauses) == 2


@pytest.mark.parametrize(
    ("status", "fix"), [("403 Forbidden", "to be allowed"), ("407 Login", "login into the proxy")]
)
def test_a_proxy_that_refuses_is_permanent_and_named(monkeypatch, pauses, status, fix):
    with listening(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode()) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        said = refused("https://api.test/v1", pauses)

    assert f"the proxy refuses to connect to api.test: {status}" in said
    assert fix in said
    assert "HTTPS_PROXY" in said


def test_a_proxy_in_trouble_is_tried_again(monkeypatch, pauses):
    with listening(b"HTTP/1.1 502 Bad Gateway\r\n\r\n") as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        with pytest.raises(SourceUnavailable, match="the proxy"):
            ask("https://api.test/v1")

    assert len(pauses) == 2
