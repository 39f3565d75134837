"""What people type: which characters are kept, and whether anything of it can be seen."""

import unicodedata

TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # the direction of what follows


def is_unprintable(character: str) -> bool:
    return unicodedata.category(character) == "Cc" or character in TURNING


def is_visible(text: str) -> bool:
    """Whether it has a letter, a digit or a sign; blanks and characters without a width are none."""
    return any(unicodedata.category(character)[0] in "LNPS" for character in text)
