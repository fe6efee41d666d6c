"""The path from an interaction to an answer.

`service`      `Answers`: defer, ask the model, stream, render, add footer and buttons, store the prompt
`interrupted`  ends the answers that a killed process left unfinished
`techniques`   the slash commands and menus of templates, such as `/translate`
`model_option` the option `model` of the commands that ask
`rendering`    replies as text: stars, lists, fenced JSON
`prompt_view`  the card of a prompt, with its figures and the shot selector
"""
