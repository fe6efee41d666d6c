"""The local engine, seen through the stock client."""
