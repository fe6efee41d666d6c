"""The stand-in: rules in the place of a language model, for when none is connected.

It never returns an example's answer for another input and never poses as a model; a test checks both. It reads only
the messages of the request. Assistant messages are used to recognise an adventure and are never repeated.

`model`      the model that the engine serves, and the order of its skills
`prompt`     the messages by role, as skills read them
`facts`      answers a question with a sentence of the facts in the prompt
`adventure`  plays the locked room

A rating of reviews by a lexicon is missing: no maintained lexicon library was small enough on 2026-11-22.
"""
