"""The pocket GPT: a transformer of about 120,000 parameters, trained on a laptop in seconds.

Its tokens are words. It learns the rows it is given by heart, and recombines them well enough to answer a question
in an unseen wording and to refuse one that the rows do not answer. It knows no language and reads only
the last user message.

The modules, in the order to read them:

`tokenizer`   text to token ids and back
`model`       the transformer, forward and backward
`optimizer`   Muon and AdamW
`data`        batches, augmentation, negatives
`train`       the training loop, evaluation and resuming
`generate`    answers, token by token
`checkpoint`  models and training checkpoints on disk
`config`      settings, metrics and result of a training run

Use it in a process whose environment has ``OPENBLAS_NUM_THREADS=1`` before numpy is imported: with two threads an
epoch takes four times as long. `train` and `generate` import numpy, so import them late::

    from bot.engine.pocket.config import TrainConfig
    from bot.engine.pocket.train import train
    result = train(rows, folder=folder, validation=held_out, config=TrainConfig(n_epochs="auto"), on_metrics=print)

    from bot.engine.pocket.generate import load
    for token in load(result.model).generate(messages, temperature=0.0, max_tokens=100):
        print(token.text, end="")

`rows` are chat examples, ``{"messages": [...]}``. Calling `train` again with equal arguments and the same folder
resumes from the newest checkpoint and ends with the weights of an uninterrupted run. Metrics of steps after that
checkpoint are reported again with equal values.
"""
