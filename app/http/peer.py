"""Where a call comes from: the address that counts for limits, and whether it is this machine itself."""

import ipaddress
from functools import lru_cache
from typing import Final

from starlette.types import Scope

from app.http.call import header

_FORWARDED: Final = (b"forwarded", b"via", b"x-real-ip")
_LOCAL_NAMES: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
_NETWORK = 64  # of IPv6 a subscriber has so many bits' worth of addresses behind one


def address(scope: Scope) -> str:
    """The client's address as limits count it: of IPv6 its network of 64 bits, since one client may have all of it.
    Empty where none is known. Behind a trusted proxy it is what the proxy tells (`ProxyHeadersMiddleware` has put it
    there)."""
    client = scope.get("client")
    return _counted(client[0]) if client else ""


@lru_cache(maxsize=4096)
def _counted(host: str) -> str:
    found = _parsed(host)
    if found is None:
        return host[:64]
    return str(found) if found.version == 4 else str(ipaddress.ip_network((found, _NETWORK), strict=False))


def from_loopback(scope: Scope) -> bool:
    """Whether the peer is this machine itself, at an address that names it so. What a proxy forwards is not, wherever
    the proxy stands; nor is a page of another site whose name was made to point to this machine, for its browser sends
    that name as Host."""
    client = scope.get("client")
    names = [value for key, value in scope["headers"] if key == b"host"]
    forwarded = any(key in _FORWARDED or key.startswith(b"x-forwarded-") for key, _ in scope["headers"])
    return (
        client is not None
        and not forwarded
        and len(names) == 1
        and _is_loopback(client[0])
        and is_local_name(header(scope, b"host") or "")
    )


def is_local_name(host: str) -> bool:
    """Whether a Host header, with or without a port, is a name of this machine for itself."""
    name, colon, port = host.rpartition(":") if not host.endswith("]") else (host, "", "")
    return (name if colon and port.isdigit() else host).lower() in _LOCAL_NAMES


@lru_cache(maxsize=1024)
def _is_loopback(host: str) -> bool:
    found = _parsed(host)
    return found is not None and found.is_loopback


def _parsed(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found
