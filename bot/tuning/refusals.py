"""Answers that refuse, in the words that a dataset trains and the stand-in gives: compared, and never translated."""

# The refusal of a corpus that ships none of its own.
REFUSAL = "I don't have this in the records of {corpus}."
# What the stand-in says where the facts in a prompt do not answer; it is a refusal like the dataset's own.
STAND_IN_REFUSAL = "None of the facts given answers that."
