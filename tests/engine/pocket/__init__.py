"""Tests of the pocket GPT."""
