"""The leaf that every room may import.

`settings`   the environment and `.env` as one typed object
`errors`     the classes of what can go wrong; each carries the sentence that its reader may see
`speech`     in which language a sentence is said, and how that writes numbers
`languages`  languages by name, as people type them
`text`       split, shortened and fenced for Discord
`tables`     texts and CSV files in the encodings and dialects that spreadsheets write
`logs`       as text or JSON, without keys
`proxies`    which proxy the environment names for an address

Nothing here imports another room, discord, or a model client.
"""
