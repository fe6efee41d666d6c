"""`fewshot demo`: the same bot in a page on this machine, no account needed.

The way in is `serve_demo`. `simulator` holds all that touches SimCord's private parts, `page` what our page adds
to its, `world` the people and channels, `tour` the first message.
"""

import logging

from bot.core.settings import Settings


async def serve_demo(settings: Settings, port: int, *, browser: bool) -> None:
    """Serve the page until Ctrl-C. Raises `ConfigError` where the port or the data folder is taken."""
    from bot.core.errors import ConfigError

    # The simulator tries discord.py out as it is imported, with a client that asks for no events at all.
    logging.getLogger("discord.state").setLevel(logging.ERROR)
    try:
        from bot.demo.serving import serve
    except ImportError as error:
        raise ConfigError(f"The demo needs {error.name}: install it with pip install 'fewshot[demo]'.") from None
    await serve(settings, port, browser=browser)
