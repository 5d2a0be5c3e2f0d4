"""Where live frames go: each module is one kind of sink, opened by its first frame."""
