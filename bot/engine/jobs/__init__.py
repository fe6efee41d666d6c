"""Fine-tuning jobs: what `/v1/fine_tuning` shows, and how one is really trained.

A job is a folder. The server alone writes `job.json` and `events.jsonl`; the training process alone writes
`metrics.jsonl`, `outcome.json` and all below `run/`, and holds `lock` while it does. So either may be
killed at any instant: what a folder says is true, and the job goes on from there.

`job`       a job's record, and its form on the wire
`create`    the body of a new job, checked
`events`    a job's events and checkpoints
`book`      every job of the engine, by id
`layout`    the names of a job's files, and exit codes
`validate`  from the uploaded files to the rows that are trained
`runner`    the queue: one job at a time, each in a child process; `settle` is what follows its end
`child`     that process as the server sees it; `tail` reads its figures; `worker` is the process itself
`models`    tuned models and their checkpoints, as models of the engine
`routes`    the HTTP side
"""
