"""`fewshot demo`: the same bot in a page on this machine, no account needed."""
