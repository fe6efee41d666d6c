"""Tests of the adventure without Discord."""
