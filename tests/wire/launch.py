"""Start a bot against the loopback Discord: discord.py with only its addresses overridden.

`python -m tests.wire.launch bot.__main__:main run` calls `main()` of `bot.__main__` with `run` on its command
line. The address comes from `WIRE_ADDRESS`.
"""

import importlib
import os
import sys

import yarl
from discord.asset import Asset
from discord.gateway import DiscordWebSocket
from discord.http import Route


def point_discord_at(address: str) -> None:
    """Point discord.py at that address, such as `http://127.0.0.1:8900`, for REST, gateway and files."""
    Route.BASE = f"{address}/api/v10"
    Asset.BASE = f"{address}/cdn"
    DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(address.replace("http", "ws", 1) + "/gateway")


def main() -> None:
    """Overrides the addresses and hands over to the entry point named on the command line."""
    entry, arguments = sys.argv[1], sys.argv[2:]
    module_name, _, function = entry.partition(":")
    point_discord_at(os.environ["WIRE_ADDRESS"])
    sys.argv = [module_name, *arguments]
    sys.exit(getattr(importlib.import_module(module_name), function)())


if __name__ == "__main__":
    main()
