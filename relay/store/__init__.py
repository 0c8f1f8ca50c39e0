"""Persistence: the only folder that knows a database driver. Rows go in, frozen values come out."""
