"""`python -m tests.wire`: serves until standard input ends, so that it never outlives the test that began it."""

import argparse
import asyncio
import json
import sys

from tests.wire.serving import inside


async def serve(port: int) -> None:
    """Binds to loopback, prints address, token and ids as one line of JSON, and waits for the end of input."""
    async with inside(port) as about:
        print(json.dumps(about), flush=True)
        await asyncio.to_thread(sys.stdin.buffer.read)


def main() -> None:
    """The command line: `--port` (default: any free one)."""
    parser = argparse.ArgumentParser(prog="python -m tests.wire", description="A Discord on loopback.")
    parser.add_argument("--port", type=int, default=0)
    asyncio.run(serve(parser.parse_args().port))


if __name__ == "__main__":
    main()
