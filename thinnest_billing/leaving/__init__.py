"""How an account ends: closing, opening it again within thirty days, and erasing what is personal after them.

It mixes all four apps, so it lives here; each app's own part is in its closing.py and erasure.py.
"""
