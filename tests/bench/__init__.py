"""Benchmarks. They print figures for people; no test passes or fails by them."""
