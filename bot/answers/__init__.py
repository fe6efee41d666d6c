"""The path from an interaction to an answer.

`service`      `Answers`: defer, call the model, stream, render, add footer and buttons, store the prompt
`rendering`    a reply as text: stars, lists, fenced JSON
`prompt_view`  a prompt as a card with its figures and the shot selector
`prompt_card`  the layout of that card
"""
