"""`fewshot demo`: the same bot on a local web page, without a Discord account.

`serve_demo`  the entry point
`serving`     starts bot, server and page; the channels and people of the demo
`simulator`   the simulated Discord and its page; the only user of SimCord's private parts
`tour`        the first message
"""

import logging

from bot.core.settings import Settings


async def serve_demo(settings: Settings, port: int, *, browser: bool) -> None:
    """Serve the page until Ctrl-C. Raises `ConfigError` if the port or DATA_DIR is in use."""
    from bot.core.errors import ConfigError

    # At import, the simulator creates a client without intents, about which discord.py warns.
    logging.getLogger("discord.state").setLevel(logging.ERROR)
    try:
        from bot.demo.serving import serve
    except ImportError as error:
        raise ConfigError(f"The demo needs {error.name}: install it with pip install -e '.[demo]'.") from None
    await serve(settings, port, browser=browser)
