"""The templating client: a prompt as data, filled in one pass, sent to any server of OpenAI's chat wire.

`template`   `ChatTemplate`: strict data from JSON, its examples, `completion` and `stream`
`request`    a filled template, which is what a client sends
`filling`    placeholders, replaced once and never expanded again
`client`     `ChatClient`: one client for the process, retries, limits; `refusals` the parameters that a model refuses
`transport`  the stock client's way to a server, read at our own pace
`streaming`  an answer as it comes, read from raw server-sent lines
`errors`     what the client raises, as sentences for people
`replies`    text parsed into ratings, facts and JSON
`asking`     a filled template to a parsed reply, with one repair turn
`selecting`  the model chooses among templates
`library`    the shipped templates; a broken one is named and the others serve
`prices`     what a call costs; `tokens` what it will take

Imports discord nowhere and speaks no SQL.
"""

from bot.llm.client import ChatClient
from bot.llm.template import ChatTemplate

__all__ = ["ChatClient", "ChatTemplate"]
