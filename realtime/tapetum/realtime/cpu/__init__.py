"""Enhances frames on the CPU: `grid_enhancer` and `unet_enhancer`, their kernels and engine."""
