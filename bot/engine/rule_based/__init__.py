"""The stand-in: rules in the place of a language model, for when none is connected.

Its law, kept by a test: it never returns an example's answer for another input, and never poses as a
model. It reads only the messages it is sent. Skills see the system messages and what the user said; the
assistant's turns reach them only as the setting that a story is recognised by, never as text to repeat.

`model`      the model that the engine serves, and the order of its skills
`prompt`     the messages as skills see them
`facts`      picks the sentence that answers a question from facts in the prompt
`adventure`  plays the room with the table and the locked door; `world` is that world, `parser` reads lines

Rating a review by a lexicon would be a third; no maintained lexicon library was light enough on 2026-11-22.
"""
