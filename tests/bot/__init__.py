"""The bot as `fewshot run` runs it, a process of its own, met through the loopback Discord of `tests/wire/`."""
