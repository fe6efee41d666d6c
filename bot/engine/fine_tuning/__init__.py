"""Fine-tuning jobs: the API under `/v1/fine_tuning`, and the training of each job in a child process.

A job is a folder. The server alone writes `job.json`, `events.jsonl` and the inputs of the training; the training
process alone writes `metrics.jsonl`, `result.json`, `train.log` and everything in `run/`, and holds `lock` meanwhile.
So either process may be killed at any instant, and the job is resumed from what its folder holds.

`jobs`     a job's record and events, the request that makes one, the store of all jobs
`runner`   the queue: validates files, trains one job at a time, ends jobs
`trainer`  what the queue needs of a trainer, and the trainer that runs `worker` in a child process
`ray_jobs` the trainer that runs `worker` on a Ray cluster
`worker`   the training process, and the names of a job's files
`models`   tuned models and checkpoints, as models of the engine
`routes`   the HTTP routes
"""
