"""The URL guard: which addresses may be connected to."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence

import pytest

from syncline.core.errors import BlockedAddress, Rejected
from syncline.testing.fake_site import FakeSite
from syncline.transport.guard import UrlGuard, is_private_host, is_public_address
from syncline.transport.http import HttpSession
from syncline.transport.retry import RetryPolicy


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "100.100.100.200",
        "192.0.0.192",
        "198.18.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "240.0.0.1",
        "::",
        "::1",
        "::127.0.0.1",
        "fe80::1",
        "fc00::1",
        "fd00:ec2::254",
        "fec0::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "2002:7f00:1::",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "2001:db8::1",
    ],
)
def test_addresses_that_are_not_public_are_refused(address: str) -> None:
    """Private, loopback, link-local, metadata, carrier, multicast, and IPv4 within IPv6."""
    assert not is_public_address(ipaddress.ip_address(address))
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(BlockedAddress, match="not a public address") as caught:
        UrlGuard().check_url(f"http://{host}/")
    assert "allow_private_hosts" in (caught.value.hint or "")


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:4700::1111", "64:ff9b::5db8:d822"])
def test_public_addresses_pass(address: str) -> None:
    """What is on the internet may be read."""
    assert is_public_address(ipaddress.ip_address(address))
    UrlGuard().check_address("example.com", address)


def test_an_allowed_host_may_be_private_and_only_that_host() -> None:
    """The allow list opens private and loopback addresses for the hosts it names."""
    guard = UrlGuard(["wiki.internal", "[::1]", "192.168.1.5"])
    guard.check_address("wiki.internal", "10.0.0.7")
    guard.check_address("wiki.internal", "::ffff:10.0.0.7")
    guard.check_url("http://[::1]/")
    guard.check_url("http://192.168.1.5/")
    with pytest.raises(BlockedAddress, match=r"192\.168\.1\.6 is not"):
        guard.check_url("http://192.168.1.6/")
    with pytest.raises(BlockedAddress, match=r"other\.internal \(10\.0\.0\.7\)"):
        guard.check_address("other.internal", "10.0.0.7")


def test_an_allowed_name_never_leads_to_metadata() -> None:
    """A name may be made to point anywhere; only the literal address opens link-local."""
    for address in ("169.254.169.254", "fd00:ec2::254", "100.100.100.200", "fe80::1", "0.0.0.0"):
        with pytest.raises(BlockedAddress, match="link-local or metadata"):
            UrlGuard(["wiki.internal"]).check_address("wiki.internal", address)
    UrlGuard(["169.254.169.254"]).check_url("http://169.254.169.254/")


@pytest.mark.parametrize("url", ["file:///etc/passwd", "gopher://x/", "http://u:p@example.com/"])
def test_other_schemes_are_rejected(url: str) -> None:
    """Only plain http and https URLs are requested, and the message hides the password."""
    with pytest.raises(Rejected, match="cannot be requested") as caught:
        UrlGuard().check_url(url)
    assert "u:p" not in caught.value.message


def test_private_hosts_are_known_by_their_form() -> None:
    """Literal private addresses, single labels and local suffixes; no look-up is made."""
    assert all(map(is_private_host, ["127.0.0.1", "::1", "localhost", "wiki", "nas.local"]))
    assert not any(map(is_private_host, ["example.com", "93.184.216.34", "local.example"]))


class _Lookup:
    """Answers with one list of addresses after the other."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)

    async def __call__(self, host: str, family: socket.AddressFamily) -> Sequence[str]:
        return self.answers.pop(0)


async def test_a_name_with_any_private_address_is_refused() -> None:
    """One bad address among good ones is enough: the connection might take it."""
    lookup = _Lookup(["93.184.216.34", "127.0.0.1"])
    async with HttpSession(lookup=lookup, retries=RetryPolicy(attempts=1)) as http:
        with pytest.raises(BlockedAddress, match=r"docs\.example \(127\.0\.0\.1\)"):
            await http.get("http://docs.example/")


async def test_the_checked_address_is_the_one_connected_to() -> None:
    """DNS rebinding: the name is resolved once, and its second answer never used."""
    async with FakeSite() as site:
        site.put("/a", "text")
        port = site.url.rpartition(":")[2]
        lookup = _Lookup(["127.0.0.1"])
        async with HttpSession(lookup=lookup, allow_private_hosts=["docs.example"]) as http:
            assert (await http.get(f"http://docs.example:{port}/a")).status == 200
        assert lookup.answers == []


async def test_redirects_are_guarded_hop_by_hop() -> None:
    """A public page cannot send us to a private one, by address or by name."""
    from syncline.testing.fake_server import redirects

    async with FakeSite() as site:
        site.misbehave(redirects("http://169.254.169.254/latest/"), "/literal")
        site.misbehave(redirects("http://inner.example/"), "/name")
        lookup = _Lookup(["10.0.0.1"])
        async with HttpSession(lookup=lookup, allow_private_hosts=["127.0.0.1"]) as http:
            with pytest.raises(BlockedAddress, match=r"169\.254\.169\.254"):
                await http.get(f"{site.url}/literal")
            with pytest.raises(BlockedAddress, match=r"inner\.example"):
                await http.get(f"{site.url}/name")
