"""What every package may import.

`settings`          the environment and `.env` as one typed object
`errors`            the error classes; each carries the sentence that its reader may see
`caller`            who asks, where and in which language
`i18n`              translation, and how numbers are written
`languages`         languages by name, as people type them
`text`              text split, shortened and escaped for Discord
`json_text`         JSON without the characters that no encoding or database can hold
`tables`            texts and CSV files in the encodings and dialects that spreadsheets write
`attached_picture`  pictures that people attach, as a model gets them
`pdf_text`          the text of a PDF, read by a child process
`words`             the word pattern of scores and of the pocket GPT
`stop_sequences`    cuts an answer at its stop sequences
`logs`              logs as text or JSON, without keys
`concurrency`       work on many items, several at a time
`metrics`           counts and times for Prometheus
`proxies`           addresses of HTTP servers, and the proxy that the environment names for one

Imports no other package of the project, and neither discord nor a model client.
"""
