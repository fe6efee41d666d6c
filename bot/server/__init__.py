"""What a community needs: who may use how many tokens, what is kept of an answer, and the life of an answer.

`ledger`   limits of a day and a month, reserved before a call and settled after it
`prompts`  the prompt behind an answer: in memory at first, in the database where it is kept
`desk`     the one way a command asks a model: reserve, ask, settle, keep

Imports discord nowhere: people, servers and channels are ids here.
"""
