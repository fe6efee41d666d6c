"""The racing season: its texts, its questions and its prepared draft."""
