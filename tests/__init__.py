"""Tests. They mirror the packages and, where they can, act as a user would."""

import os

# Set before numpy is imported: with one thread per core, small matrix products take ten times the CPU time.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
