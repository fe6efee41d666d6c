"""Tests of the reply path, as far as it needs no Discord."""
