"""Measures Tapetum: `python -m tapetum.benchmarks --help`. Results are JSON with the machine."""
