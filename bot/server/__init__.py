"""What a Discord server needs: limits, stored prompts, tricks, settings, privacy.

`model_gateway`  the one way to ask a model: queue, moderate, reserve, ask, settle
`chat_models`    which models people may choose, and which answers where nobody chose one
`ledger`         limits of a day and a month, reserved before a call and settled after it
`sums`           what was used in a day and a month: in memory, or shared by several processes
`prompts`        the prompt of an answer: in memory first, in the database when it is kept
`unfinished`     the answers that are being written, for the process after a killed one
`guilds`         settings of servers: language, channels, limits, privacy
`trick_form`     what a trick is, and which templates may become one; `similarity` chooses among many examples
`prompt_files`   prompts of other programs as tricks: OpenAI's prompt objects, promptfoo
`tricks`         the tricks of servers: teach, import, versions, suggestions
`arena`          blind comparisons, on which people vote
`trick_tests`    the test sets of tricks
`trick_plan`     what a test run asks, and what its answers say; `judging` says whether an answer is right
`trick_runs`     test runs, stored answer by answer
`model_watch`    the tests of a server, once, when the model that answers there changes
`shipped_tests`  the answers of models to the labelled inputs that ship, asked once for all servers
`evaluation`     a shipped template with no, one, three and all examples, on inputs with known answers
`privacy`        export and erasure of what is stored about a person or a server
`moderation`     checks input and output with a moderation model
`health`         liveness and readiness for monitoring

Does not import discord: people, servers and channels are ids here.
"""
