"""What exceptions of the HTTP library mean, where no server on loopback can cause them."""

from __future__ import annotations

import ssl

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey

from syncline.core.errors import Rejected, SourceError, Transient
from syncline.transport.classify import error_of_exception

_KEY = ConnectionKey("example.com", 443, True, True, None, None, None)


def test_an_untrusted_certificate_is_for_good() -> None:
    """The message says what is wrong with it, the hint what to do."""
    trouble = ssl.SSLCertVerificationError(1, "certificate verify failed")
    trouble.verify_message = "certificate has expired"
    error = error_of_exception(
        aiohttp.ClientConnectorCertificateError(_KEY, trouble), "https://example.com/", 10
    )
    assert type(error) is Rejected
    assert error.message.endswith("the certificate is not trusted (certificate has expired)")
    assert "SSL_CERT_FILE" in (error.hint or "")


@pytest.mark.parametrize(
    ("exception", "kind", "message"),
    [
        (aiohttp.ConnectionTimeoutError(), Transient, "no connection within 10 s"),
        (aiohttp.SocketTimeoutError(), Transient, "no complete answer in time"),
        (TimeoutError(), Transient, "no complete answer in time"),
        (ConnectionResetError(), Transient, "the connection was cut"),
        (aiohttp.ServerDisconnectedError(), Transient, "the connection was cut"),
        (aiohttp.InvalidURL("x"), Rejected, "malformed URL"),
    ],
)
def test_network_trouble_may_pass(
    exception: Exception, kind: type[SourceError], message: str
) -> None:
    """Each kind of trouble is told apart and has a hint."""
    error = error_of_exception(exception, "https://example.com/", 10)
    assert type(error) is kind
    assert message in error.message
    assert error.hint
