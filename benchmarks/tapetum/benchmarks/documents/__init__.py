"""The figures of docs/performance.md and docs/gpu.md; only this repository needs them."""
