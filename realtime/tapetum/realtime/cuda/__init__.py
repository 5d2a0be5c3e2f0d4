"""Enhances frames on NVIDIA GPUs: pixel kernels in CUDA C, and what loads and launches them."""
