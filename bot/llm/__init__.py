"""Prompts as data, sent to any server with OpenAI's chat completions API.

`template`           `ChatTemplate`: strict data from JSON, placeholders, examples, `completion` and `stream`
`command`            the slash command of a template
`template_registry`  the templates of the folders; a broken one is named and the others can be used
`request`            what is sent: messages and parameters
`unsupported_params` the parameters that a model does not support
`client`             `ChatClient`: one for each server, with retries, limits and time-outs
`clients`            the clients of all servers in the settings
`transport`          the HTTP transport of the `openai` client, on aiohttp
`streaming`          an answer while it arrives: server-sent events, whole answers, errors inside an answer
`stop_signal`        ends a call early, with the text so far
`thinking`           takes a model's thinking out of its answer
`turn_ends`          ends an answer at a token that ends a turn in chat formats
`output_parsers`     text parsed into ratings, facts and JSON
`completion`         from a request to a parsed reply, with one repair turn
`conversation`       follow-ups to an answer, within a token budget
`routing`            the model chooses among templates
`errors`             the errors of a server, as sentences for people
`usage`              tokens, estimated and reported
`prices`             the prices of models

Imports neither discord nor SQL.
"""

from bot.llm.client import ChatClient
from bot.llm.template import ChatTemplate

__all__ = ["ChatClient", "ChatTemplate"]
