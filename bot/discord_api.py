"""What the bot asks Discord's API before it connects, and DISCORD_API: another address for all requests to it."""

import aiohttp
import discord
from pydantic import SecretStr

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


async def recommended_shards(token: SecretStr) -> int:
    """The number of shards that Discord recommends. Raises `ConfigError` where it does not say."""
    async with discord.Client(intents=discord.Intents.none()) as client:
        try:
            await client.login(token.get_secret_value())
            shards, _url, _limits = await client.http.get_bot_gateway()
        except discord.LoginFailure:
            raise ConfigError("Discord refused DISCORD_TOKEN: copy it again from the developer portal.") from None
        except (OSError, aiohttp.ClientError, discord.HTTPException, discord.GatewayNotFound) as error:
            raise ConfigError(f"Discord cannot be reached: {error}.") from None
    return shards
