"""Compiles generators to TensorRT engines. Nothing is here yet; see CHANGELOG.md."""
