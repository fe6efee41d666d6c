"""Replies, components and pictures on Discord. Contains no SQL and no model calls.

`reply`          the answer to one interaction: defer, stream, split, files, final text
`stream_editor`  edits of a text that grows; which messages may still be edited
`errors`         reports an error to the user; the sentences for Discord's own errors
`actions`        buttons, selects and modals that keep their state in the custom id and survive a restart
`views`          base classes of views and modals that report their errors to the user
`cards`          Components V2 within Discord's limits
`pictures`       charts, tables and story trees as PNG
`files`          files that the bot sends
`uploads`        files that users upload
`locale`         the locale of an interaction; translated command names
`caller`         who an interaction is from; the message that a menu was used on
`message_text`   the readable text of a message, with its embeds
`handling`       notes which interaction a task handles, for logs and metrics
`inflight`       the interactions in progress, for a graceful stop
"""
