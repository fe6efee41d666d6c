"""Tests of local chat models."""
