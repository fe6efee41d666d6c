"""How a command runs its work."""

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any

import click


def run_work(work: Coroutine[Any, Any, Any]) -> Any:
    """Run `work` to its end; Ctrl-C where nothing catches it ends quietly."""
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        click.echo("", err=True)
        sys.exit(130)
