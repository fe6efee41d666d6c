"""Tests of the templating client."""
