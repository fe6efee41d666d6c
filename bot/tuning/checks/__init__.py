"""What the checker looks for, a file a kind of fault. Each takes pairs and gives findings; none changes anything.

`finding`  what a finding is
`form`     lines that are no rows at all
`texts`    rows whose texts are empty, too long, or hold what must not be learnt
`proof`    answers against their quotes, quotes against their sources
`between`  rows that repeat or contradict each other, and held-out questions that are trained
`whole`    the dataset as a whole: size, wordings, refusals, openings
`legacy`   what the checks of older models asked for, and today's do not need
"""
