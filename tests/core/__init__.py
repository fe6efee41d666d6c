"""Tests of the leaf: text, logs, settings."""
