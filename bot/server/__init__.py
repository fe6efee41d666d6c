"""What a community needs: who may use how many tokens, what is kept of an answer, and what a server decides.

`ledger`     limits of a day and a month, reserved before a call and settled after it
`prompts`    the prompt behind an answer: in memory at first, in the database where it is kept
`desk`       the one way a command asks a model: reserve, ask, settle, keep
`guilds`     what admins set: language, channels, limits, privacy
`trick`      a server's own template, told apart so that nobody's words become a placeholder
`tricks`     teaching, correcting, suggesting; `nearest` chooses among many examples
`privacy`    what is kept of a person and of a server: handed out, and forgotten
`moderation` whether a text may go to the model, and its answer to people
`health`     whether the bot is alive and ready, for those who watch over it
`measuring`  a trick with none, one, three and all its examples, on inputs whose answers are known

Imports discord nowhere: people, servers and channels are ids here.
"""
