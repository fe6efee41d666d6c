"""Tuning, against real engines, databases and a provider on loopback."""
