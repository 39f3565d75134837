"""Everything we keep about an account and its people, as a ZIP of CSV and JSON files that explains itself.

`files*.py` say what is in it, column by column; `archive.py` streams it; `views.py` is where it is asked for.
"""
