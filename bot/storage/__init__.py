"""All SQL of the bot. Functions return frozen dataclasses, never rows.

`database`      opens the database: one connection that writes, several that read; `in_transaction`
`group_commit`  the writer task, which commits all queued writes as one transaction
`errors`        what an error of the database means
`tables`        the tables, as the newest migration creates them; `rows` makes dataclasses of their rows
`migrations`    upgrade, version, and a copy of a database in use
`copying`       a whole database to another one, SQLite to PostgreSQL or back
`key_value`     small named values
`leases`        which process does a piece of work
`calls`         reserved and settled model calls
`slots`         the slots of processes, and the shards that belong to each
`notices`       what one process tells all others
`usage_sums`    sums of tokens and money that several processes share
`prompts`       stored prompts
`unfinished`    the answers that are being written
`stories`       stories, turns, players, notes, branches, summaries
`guilds`        settings of servers
`tricks`        tricks, their examples and versions, suggestions
`trick_tests`   test sets of tricks, and their runs
`datasets`      datasets, their chunks and pairs
`tuning`        jobs, events, tuned models, promotions
`arenas`        blind comparisons and their votes
`corrections`   what people say is wrong with answers of tuned models
`erasure`       export and erasure of people and servers, deletion by age

SQLite through aiosqlite, or PostgreSQL through asyncpg. The tables and queries use nothing that only one of them has.
"""
