"""The stand-in: rules, no model."""
