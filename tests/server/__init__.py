"""Tests of the ledger, kept prompts and the desk."""
