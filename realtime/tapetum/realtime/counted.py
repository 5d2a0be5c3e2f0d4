"""Numbers and their nouns, in lines for people."""


def counted(count: int, noun: str) -> str:
    """A number and its noun, like "1 frame" and "2 frames"."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
