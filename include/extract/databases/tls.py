"""TLS to databases: verified unless the connection says otherwise."""

from __future__ import annotations

import ssl

from include.errors import PermanentError
from include.extract.databases.address import Address
from include.extract.databases.reader import Failure

# MySQL's words, without the one that falls back to no TLS.
TLS_MODES = ("verify_identity", "verify_ca", "required", "disabled")


def context_of(address: Address) -> ssl.SSLContext | None:
    """The TLS of a connection by `ssl_mode`, `ssl_ca`, `ssl_cert` and `ssl_key`; None without TLS.

    By default, the certificate must be valid for the host; on this machine,
    there is no TLS unless an option asks for it. Raises `PermanentError`.
    """
    asked = [name for name in address.options if name.startswith("ssl_")]
    default = "disabled" if address.is_local and not asked else "verify_identity"
    mode = address.option("ssl_mode", default).lower()
    if mode not in TLS_MODES:
        raise PermanentError(
            f"the connection {address.connection!r}: expected `ssl_mode` to be one of "
            f"{', '.join(TLS_MODES)}. Correct the connection."
        )
    if mode == "disabled":
        return None
    try:
        context = ssl.create_default_context(cafile=address.options.get("ssl_ca"))
        if "ssl_cert" in address.options:
            context.load_cert_chain(address.options["ssl_cert"], address.options.get("ssl_key"))
    except (OSError, ssl.SSLError) as error:
        raise PermanentError(
            f"the connection {address.connection!r}: a file of `ssl_ca`, `ssl_cert` or `ssl_key` "
            f"cannot be read: {error.strerror or type(error).__name__}. Correct the connection."
        ) from None
    context.check_hostname = mode == "verify_identity"
    if mode == "required":
        context.verify_mode = ssl.CERT_NONE
    return context


def certificate_failure(error: ssl.SSLError) -> Failure:
    """What a failed handshake means."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return Failure(
            "settings",
            f"its certificate is not accepted: {error.verify_message}. Name the certificate of "
            "its authority in the connection, or tell its owner.",
        )
    return Failure("away", f"the TLS handshake failed: {error.reason or type(error).__name__}")
