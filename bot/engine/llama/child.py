"""`python -m bot.engine.llama.child`: one llama.cpp server, as the child of the engine.

The first line of standard input is the configuration as JSON (see `bot.engine.llama.process`). The first line of
standard output is `{"url": …}` once the model is loaded, or `{"error": …}`. The process ends when its standard input
does, so it never outlives the engine. A native crash ends only this process.
"""

import json
import os
import sys
from typing import Any

from bot.engine.child_processes import wait_for_parent


def main() -> int:
    """Load the model, serve until standard input ends, and return the exit code."""
    import xllamacpp

    config = json.loads(sys.stdin.buffer.readline())
    # llama.cpp also logs to standard output. So the log goes to standard error, and the answer to a copy of standard
    # output.
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    try:
        server = xllamacpp.Server(_parameters(config))
        url = server.listening_address
    except (RuntimeError, ValueError) as error:
        answer.write(json.dumps({"error": str(error)[:500]}) + "\n")
        answer.flush()
        return 1
    answer.write(json.dumps({"url": url}) + "\n")
    answer.flush()
    wait_for_parent()
    # The server's threads keep the interpreter running while an answer is in progress.
    os._exit(0)


def _parameters(config: dict[str, Any]) -> Any:
    """The library's parameters, filled in."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = config["path"]
    # Scaled to nothing, so that an adapter changes only the answers to requests that give it a scale.
    params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(path, 0.0) for path in config["adapters"]]
    params.hostnames, params.port = ["127.0.0.1"], 0
    # By default the server needs no key and allows requests from every web page.
    params.api_keys, params.cors_origins = [config["key"]], ""
    params.endpoint_slots = params.endpoint_props = params.endpoint_metrics = params.ui = False
    params.n_parallel = config["slots"]
    params.n_ctx = config["context"] * config["slots"]
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = config["threads"]
    # Without it Gemma's prompts are never cached.
    params.swa_full = True
    # Thinking would take minutes on a slow machine.
    params.enable_reasoning = 0
    # At temperature 0 a small model repeats its first line until the limit (SmolLM2-135M, seen 2026-11-28).
    params.sampling.penalty_repeat = 1.1
    params.verbosity = 0
    return params


if __name__ == "__main__":
    sys.exit(main())
