"""Tests of adapters on open weights."""
