"""Benchmarks of what takes a special setting. `python -m tests.benchmarks NAME` runs one."""
