"""Tests: they mirror the tree, and come in by the front door."""

import os

# Before anything imports numpy, as `bot.engine.pocket` wants it: with a thread for each core, small matrices take ten
# times the CPU time, all of it waiting for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
