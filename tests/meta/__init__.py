"""Tests of the project's rules: imports, conventions, translations, data files, documentation."""
