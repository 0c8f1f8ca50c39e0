"""Defects that the tests must catch: `python -m tests.mutations` plants each in a copy of the checkout."""
