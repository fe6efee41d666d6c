"""What a word is, in every script: the one pattern that questions and answers are split by."""

import re

# Chinese and Japanese are written without spaces, so each of their characters is a word of its own.
WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W_\u3040-\u30ff\u3400-\u9fff]+(?:['’][^\W_]+)*")
