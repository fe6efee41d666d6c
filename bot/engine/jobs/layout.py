"""The names that server and training process agree on: files of a job's folder, and exit codes.

Nothing is imported here, so that the training process, which needs no server, does not carry one.
"""

# Written by the server before training begins.
ROWS = "rows.jsonl"
VALIDATION = "validation.jsonl"
CONFIG = "config.json"
BASE = "base"
# Made by the server to ask for a checkpoint and an end.
STOP = "stop"

# Written by the training process.
METRICS = "metrics.jsonl"
OUTCOME = "outcome.json"
RUN = "run"
LOCK = "lock"

# How many usable models from the middle of a job are kept.
KEPT_MODELS = 3

# How the training process ended: with a model; as it was asked to; because another one has the job; or for
# a reason that stands on the last line of standard error.
DONE, STOPPED, BUSY, FAILED = 0, 3, 4, 5
