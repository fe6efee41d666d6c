"""The only room that speaks SQL. Frozen records come out of it, never rows.

`database`   opening: a writer connection and readers beside it
`writer`     one task commits whatever is queued as one transaction
`tables`     the schema that the newest migration makes
`migrating`  upgrading, the version at hand, a copy while running
`calls`, `prompts`, `marks`   what is read and written, a file a table

SQLite through aiosqlite today; nothing in the tables is SQLite's alone.
"""
