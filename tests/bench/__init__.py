"""Measures, for people to read; nothing here decides whether a test passes."""
