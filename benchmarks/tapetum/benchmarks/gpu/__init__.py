"""Measures the GPU path: `python -m tapetum.benchmarks gpu --help`.

`roofline` finds what the card can do at best, `kernels`, `networks` and `pipeline` what Tapetum
makes of it; `card` keeps the figures in a file for each card.
"""
