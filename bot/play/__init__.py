"""The adventure: a story is a tree of turns, played by several people, and nothing they wrote is ever lost.

`scenarios`   the stories that can be started, and the frame that a story keeps of its own
`words`       what a player typed as an action; `dice` rolls what it asks for
`adventures`  what people can do with a story, from the start to the end; `rights` says who
`moving`      undo, retry, the arrows and switch as moves of the head in the tree, and votes for them
`taking`      one turn at a time, in order of arrival; stored before the model is asked, completed after
`prompting`   the prompt of a turn within its budget; `memory` the summaries that stand for older turns
`telling`     what is needed from outside: somebody who tells the story, somewhere to show it
`records`     the records that are handed out
`shape`       the tree as rows and columns; `transcript` a path as Markdown

A turn waits in line, then gets its place below the head and is open, then is done. The database holds each step, so
after a crash an open turn or a line says what was interrupted, and the next thing said there offers to go on.
Imports discord nowhere: people, servers, channels and messages are ids here.
"""
