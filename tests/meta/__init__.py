"""Tests of the project's own rules: imports, conventions, catalogues, data files."""
