"""Writes the parts of the integrations that depend on the catalogue, so that they cannot drift from it."""
