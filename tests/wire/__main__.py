"""`python -m tests.wire`: serve until standard input ends, so that it ends with the test that started it."""

import argparse
import asyncio
import json
import sys

from tests.wire.server import serve_in_process


async def serve(port: int) -> None:
    """Bind to loopback, print address, token and ids as one line of JSON, and wait for the end of input."""
    async with serve_in_process(port) as about:
        print(json.dumps(about), flush=True)
        await asyncio.to_thread(sys.stdin.buffer.read)


def main() -> None:
    """The command line: `--port` (default: any free one)."""
    parser = argparse.ArgumentParser(prog="python -m tests.wire", description="A Discord on loopback.")
    parser.add_argument("--port", type=int, default=0)
    asyncio.run(serve(parser.parse_args().port))


if __name__ == "__main__":
    main()
