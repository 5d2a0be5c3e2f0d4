"""Enhances videos on NVIDIA GPUs; docs/gpu_path.md shows how the parts fit."""
