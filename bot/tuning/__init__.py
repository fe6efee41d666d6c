"""Tuning: from a folder of texts to a model that answers.

`service.Tuning` holds everything that commands use: `datasets`, `jobs`, `models`, `corrections`. The modules, in the
order in which a dataset passes through them:

`corpus`          folders of texts by name, and their chunks
`questions`       chunks to questions by a model; each reply is stored at once and never paid for twice
`rows`            rows of JSON Lines: reading, writing, mending
`checks`          the checker, its report, and the flags that a person decides on
`split`           train, validation, held-out and never-seen
`datasets`        datasets: prepared, from a file or generated; decisions on flagged pairs
`profiles`        the providers as data: one profile each, with its base models and their prices
`estimate`        what a job would cost, for every known model
`providers`       a provider's files, jobs and models through the stock client; `errors` are their errors
`jobs`            starting, cancelling and reading jobs; `job_runner` takes their steps, one process at a time
`snapshots`       what a model answers at its checkpoints, while it trains
`labelled`        labelled inputs of a template: those that ship, and an operator's file
`subjects`        what models are tuned for: a corpus, or a template with labelled inputs
`workers`         who takes the long work: the bot, or the processes of `fewshot worker`
`lineage`         what a model learnt, with the datasets of the models before it
`scoring`         the scorecard of a model, and how it is made
`models`          promotion, and questions to the promoted model
`corrections`     what people say is wrong with a model's answers, for operators and later scorecards
`inference`       questions to the models of corpora; the three-way comparison
`retrieval`       the nearest training rows, and the facts for a prompt, by shared words
`lessons`         datasets that lack something, and what goes wrong with them
`localized_text`  sentences stored with their values and put into the reader's language; `words` compares texts
"""
