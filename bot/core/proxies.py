"""HTTP addresses, and the proxy that the environment names for a host.

discord.py and the model client do not read the environment; each takes the address of a proxy.
"""

from ipaddress import ip_address
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from bot.core.errors import ConfigError


def proxy_for(scheme: str, host: str) -> str | None:
    """The address of the proxy for `scheme` (`http` or `https`) and `host`; None without a proxy.

    Reads HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY, on Windows and macOS also the system's settings. Loopback
    hosts, such as the local engine, never use a proxy. Raises `ConfigError` for an address that is not an HTTP
    proxy's; the sentence does not contain the address, because it may contain a password.
    """
    if is_loopback(host):
        return None
    proxies = getproxies()
    address = proxies.get(scheme) or proxies.get("all")
    if not address or proxy_bypass(host):
        return None
    address = address if "://" in address else f"http://{address}"
    if not is_http(address):
        raise ConfigError("The environment names a proxy that cannot be used: its address must begin with http://.")
    return address


def is_http(address: str) -> bool:
    """Whether this is the address of an HTTP server or proxy. aiohttp treats every other scheme as HTTP too."""
    try:
        parts = urlsplit(address)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def is_loopback(host: str) -> bool:
    """Whether the host is this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
