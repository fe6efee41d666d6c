"""Discord features: one file or folder for each. A cog connects Discord with one service.

A cog checks permissions and input, defers, calls one service and replies. It contains no SQL, no HTTP requests and no
prompt text, and imports no other cog. Modules whose names begin with an underscore are shared by cogs.

Most files are named after their command. `corpus` has `/racing`; `prompt`, `report` and `local_model` have the buttons
under answers; `techniques` registers the commands of templates, such as `/translate` and `/facts`.
"""
