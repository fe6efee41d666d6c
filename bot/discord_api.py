"""DISCORD_API: sends the requests to Discord to another address, such as a rate-limit proxy's."""

import aiohttp
import discord

from bot.core.errors import ConfigError
from bot.core.settings import Settings

# Seconds that the address has for its first answer.
TIMEOUT = 10.0


async def use_discord_api(settings: Settings) -> None:
    """Send all later requests of discord.py to DISCORD_API, if it is set.

    Raises `ConfigError` where that address does not answer as Discord does.
    """
    if settings.discord_api is None:
        return
    base = f"{settings.discord_api}/api/v{discord.http.INTERNAL_API_VERSION}"
    timeout = aiohttp.ClientTimeout(total=TIMEOUT)
    try:
        # The one route that needs no token.
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(f"{base}/gateway") as response:
            response.raise_for_status()
            answered = "url" in await response.json()
    except (aiohttp.ContentTypeError, ValueError, TypeError):
        reason = "its answer is no JSON"
    except aiohttp.ClientResponseError as error:
        reason = f"it answered {error.status}"
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        reason = str(error) or "it did not answer in time"
    else:
        reason = "" if answered else "its answer names no gateway"
    if reason:
        raise ConfigError(
            f"DISCORD_API {settings.discord_api} does not answer as Discord does: {reason}. It must be the address of "
            "a proxy for Discord's API, such as http://127.0.0.1:8080."
        )
    discord.http.Route.BASE = base
