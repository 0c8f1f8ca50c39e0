"""Relay: a self-hosted REST Hook integration server in one process."""

from importlib.metadata import version

__version__ = version("relay")
