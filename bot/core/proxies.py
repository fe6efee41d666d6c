"""The proxy through which the operator's network wants the bot to leave, as the environment names it.

Discord's client and the model's take one address each and look at no environment themselves.
"""

from ipaddress import ip_address
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from bot.core.errors import ConfigError


def proxy_for(scheme: str, host: str) -> str | None:
    """The address of the proxy for `scheme` (`http` or `https`) to `host`; None where there is none.

    Read from HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY, on Windows and macOS also from the system's settings.
    What runs on this machine, as the local engine does, is never behind a proxy, whatever these say. Raises
    `ConfigError` for an address that is no HTTP proxy's; the sentence does not repeat it, as it may hold a password.
    """
    if _is_here(host):
        return None
    proxies = getproxies()
    address = proxies.get(scheme) or proxies.get("all")
    if not address or proxy_bypass(host):
        return None
    address = address if "://" in address else f"http://{address}"
    if not _is_http(address):
        raise ConfigError("The environment names a proxy that cannot be used: its address must begin with http://.")
    return address


def _is_http(address: str) -> bool:
    """Whether aiohttp can go through a proxy of this address: it takes any other for one of HTTP as well."""
    try:
        parts = urlsplit(address)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
