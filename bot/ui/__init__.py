"""How the bot speaks on Discord: the one reply path, cards, buttons that outlive restarts, pictures.

`reply`     one answer to one interaction: defer, stream, split, files, the final text whatever happens; `frames` stream
`errors`    the one place that tells a person what went wrong, and the table that words Discord's own errors
`actions`   buttons and menus whose state is in their custom id
`safe`      the bases of views and modals: their errors reach the person
`hearing`   in which language to speak to whom; `translator` hands Discord the commands' names in all of them
`edits`     whether a message can still be edited
`cards`     Components V2 within Discord's limits; `prompt_card` shows a prompt as it was sent
`uploads`   files from people, bounded before they are read
`pictures`  drawn off the event loop, and so are `charts` and `tree_picture`
`work`      what is under way, so that stopping can wait for it

Speaks no SQL and asks no model: what a button does is its cog's.
"""
