"""How the bot speaks on Discord: the one reply path, cards, buttons that outlive restarts, pictures.

`reply`     one answer to one interaction: defer, stream, split, files, the final text whatever happens
`errors`    the one place that tells a person what went wrong, and the table that words Discord's own errors
`actions`   buttons and menus whose state is in their custom id
`safe`      the bases of views and modals: their errors reach the person
`cards`     Components V2 within Discord's limits
`uploads`   files from people, bounded before they are read
`pictures`  drawn off the event loop

Speaks no SQL and asks no model: what a button does is its cog's.
"""
