"""The leaf that every room may import: settings, errors and their wording, text, logs.

Nothing here imports another room, discord, or a model client.
"""
