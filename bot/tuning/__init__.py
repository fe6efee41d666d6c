"""Tuning: from a folder of texts to a model that answers.

`service.Tuning` is the one object that commands hold; `holdings` is its first half. The parts, in the order in which
a dataset passes them:

`corpus`     folders of texts by name, their chunks with source and span
`questions`  chunks to questions by a model: each reply stored at once, never paid for twice
`prepare`    a dataset: the one that ships, one from a file, or a generated one
`check`      the checker and its report, `checks/` what it looks for, `flags` what a person should look at
`split`      who learns what: train, validation, held-out, never-seen
`render`     the one rendering that trains a model and asks it
`estimate`   prices and closing dates in a table, from `profiles`, the providers as data
`wire`       a provider's jobs through the stock client; `errors` what can go wrong there
`jobs`       a job's steps, `follow` who takes them: one process at a time, to the end
`cards`      where a job is shown in a channel, kept together with the job
`lineage`    what a model learnt, the datasets of the models before it among it
`score`      the scorecard: `scorecard` its lines, `nearest` the baseline, `facts` what prompts hold instead
`promote`    which model answers; `asking` how it is asked; `compare` with and without tuning
`lessons`    what goes wrong when a dataset lacks something
`told`       sentences that lie in the database, worded when they are read; `refusals` answers, never translated

Who pays is behind `purse.Purse`. Imports neither discord nor the engine: the local one is a provider like others.
"""
