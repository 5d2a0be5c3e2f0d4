"""Measures the GPU path: `python -m tapetum.benchmarks gpu --help`.

`ceilings` finds what the card can do at best, `kernels`, `networks`, `pipeline`, `codecs` and
`training` what Tapetum makes of it. `result_file` keeps the figures, `tables` writes docs/gpu.md.
"""
