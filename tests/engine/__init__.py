"""The local engine, through the stock client."""
