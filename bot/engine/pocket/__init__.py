"""The pocket GPT: a real transformer, small enough to be trained on a laptop in seconds.

It is made of words, about 120,000 numbers and nothing else: no language, no world, no reasoning. It learns
the rows it is given by heart, and recombines them well enough to answer a question it has not seen in
quite that form, and to refuse one that the rows do not answer. It reads the last user message alone.

The rooms, in the order to read them: `words` (text to numbers and back), `model` (the transformer and its
gradients), `optimizer` (how the weights move), `data` (how questions are varied and negatives made),
`recombine` (one fact asked in the words of another), `run` (what a training is made from), `train` (one
flat loop), `serve` (one answer, word by word), `store` (weights and checkpoints on disk), `config` (what
goes in and comes out).

How to use it, from a process whose environment has ``OPENBLAS_NUM_THREADS=1`` before numpy is imported
(with two threads an epoch takes four times as long)::

    from bot.engine.pocket.config import Config
    from bot.engine.pocket.train import train       # imports numpy, so import it late
    result = train(rows, folder=folder, validation=held_out, config=Config(n_epochs="auto"),
                   on_metrics=print, should_stop=lambda: False)

    from bot.engine.pocket.serve import load        # imports numpy, so import it late
    model = load(result.model)
    for piece in model.answer(messages, temperature=0.0, max_tokens=100, stop=["\n"]):
        print(piece.text, end="")

`rows` are chat examples, ``{"messages": [...]}``. Calling `train` again with the same arguments and folder
goes on from the newest checkpoint there and ends with exactly the weights of an unbroken run. Metrics of
steps after that checkpoint are then reported once more; they are equal, so a caller keeps one a step.
"""
