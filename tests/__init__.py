"""Tests: they mirror the tree, and come in by the front door."""
