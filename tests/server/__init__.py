"""Tests of limits, stored prompts, tricks, settings, privacy and the model gateway."""
