"""One file (or folder) a feature, named by its command. A cog translates between Discord and one service.

It checks what memory can check, defers, calls one service and replies. No SQL, no HTTP, no prompt text, and
no other cog. Names that begin with an underscore are shared by cogs and are none themselves.
"""
