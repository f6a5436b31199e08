"""URLs as identities: one spelling for each address, and what of it may be shown.

Ids of pages, redirect targets and canonical links are all compared in this spelling.
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import SplitResult, unquote_to_bytes, urljoin, urlsplit

from syncline.core.redaction import SECRET_NAME

__all__ = ["Origin", "normalise_escapes", "normalise_url", "origin_of", "same_origin", "shown_url"]

_PORTS = {"http": 80, "https": 443}
_UNRESERVED = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
_PATH = _UNRESERVED + "!$&'()*+,;=:@/"
_QUERY = _PATH + "?"
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_ENCODE_IN_PATH = re.compile(f"[^{re.escape(_PATH)}%]+|%(?![0-9A-F]{{2}})")
_ENCODE_IN_QUERY = re.compile(f"[^{re.escape(_QUERY)}%]+|%(?![0-9A-F]{{2}})")
# Most URLs of a listing are in their normal spelling already: a name (not a number) as the
# host, no port, no escapes, no segment that begins with a dot.
_SEGMENT = r"[A-Za-z0-9_~!$&'()*+,;=:@-][A-Za-z0-9._~!$&'()*+,;=:@-]*"
_NORMAL = re.compile(
    r"https?://(?:[a-z0-9-]+\.)+[a-z][a-z0-9-]*"
    rf"/(?:{_SEGMENT}(?:/{_SEGMENT})*/?)?"
    r"(?:\?[A-Za-z0-9._~!$&'()*+,;=:@/?-]+)?"
)
_LABELS = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
_NUMERIC = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")


class Origin(NamedTuple):
    """Where credentials may go: scheme, host and port must all be equal."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}"


def normalise_url(url: str, base: str | None = None) -> str:
    """The one spelling of an http(s) URL, made absolute against `base`, without its fragment.

    Lower-case scheme and host (international names as `xn--`), no default port, escapes
    in upper case and only where needed, no dot segments. The query is kept. Raises
    `ValueError` for anything that is not an http(s) URL, and for one that carries a user
    name or password: such a URL is a secret, not an address.
    """
    if base is None and _NORMAL.fullmatch(url):
        return url
    text = url.strip("\x00\x01\x02\x03\x04\x05\x06\x07\x08\t\n\x0b\x0c\r\x0e\x0f\x1f ")
    parts = urlsplit(urljoin(base, text) if base is not None else text)
    path = _remove_dot_segments(normalise_escapes(parts.path))
    query = normalise_escapes(parts.query, query=True)
    return f"{_origin(parts.scheme, parts.netloc)}{path}" + (f"?{query}" if query else "")


def normalise_escapes(text: str, *, query: bool = False) -> str:
    """A path, or a query: escapes of unreserved characters undone, the others in upper case,
    and escaped what must be."""
    if "%" in text:
        text = _ESCAPE.sub(_normal_escape, text)
    return (_ENCODE_IN_QUERY if query else _ENCODE_IN_PATH).sub(_escape, text)


def origin_of(url: str) -> Origin:
    """A URL's origin. Raises `ValueError` as `normalise_url` does."""
    parts = urlsplit(url)
    return _origin(parts.scheme, parts.netloc)


def same_origin(a: str, b: str) -> bool:
    """Whether two http(s) URLs have equal scheme, host and port."""
    return origin_of(a) == origin_of(b)


def shown_url(url: str) -> str:
    """A URL for messages and logs: no user name, no password, no secret of its query."""
    if "?" not in url and "@" not in url and url.isprintable() and len(url) <= 300:
        return url
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(malformed URL)"
    query = "&".join(_shown_field(field) for field in parts.query.split("&") if field)
    host = parts.netloc.rpartition("@")[2]
    shown = (f"{parts.scheme}://{host}" if host else "") + parts.path + (query and f"?{query}")
    shown = "".join(c if c.isprintable() else "�" for c in shown)
    return shown if len(shown) <= 300 else shown[:299] + "…"


def _shown_field(field: str) -> str:
    name, equals, value = field.partition("=")
    return f"{name}=…" if equals and (SECRET_NAME.search(name) or len(value) > 60) else field


# A listing's million addresses have few origins.
@lru_cache(maxsize=1024)
def _origin(scheme: str, netloc: str) -> Origin:
    if scheme not in _PORTS:
        raise ValueError("not an http or https URL")
    if "@" in netloc:
        raise ValueError("a URL with a user name or password in it")
    parts = SplitResult(scheme, netloc.removesuffix(":"), "", "", "")
    port = parts.port
    if port == 0:
        raise ValueError("port 0")
    return Origin(scheme, _normal_host(parts.hostname or ""), port or _PORTS[scheme])


def _normal_host(host: str) -> str:
    if ":" in host:
        return str(ipaddress.IPv6Address(host.partition("%")[0]))
    if not host.isascii():
        host = host.encode("idna").decode("ascii")
    host = host.removesuffix(".")
    if not _LABELS.fullmatch(host) or len(host) > 253:
        raise ValueError("no valid host name")
    if _NUMERIC.fullmatch(host):
        # `127.1` and `0x7f000001` mean different things to different readers.
        return str(ipaddress.IPv4Address(host))
    return host


def _normal_escape(match: re.Match[str]) -> str:
    char = unquote_to_bytes(match[0]).decode("latin-1")
    return char if char in _UNRESERVED else match[0].upper()


def _escape(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode("utf-8", "surrogatepass"))


def _remove_dot_segments(path: str) -> str:
    if "/." not in path:
        return path or "/"
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)
