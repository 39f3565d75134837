"""`make rehearse-restore`: a backup under traffic, a disaster, a restore, and what was lost and found.

- `backups`: base backups with an archive of every change, dumps, restores: what an operator does by hand.
- `traffic`: a platform that spends and people who pay, over HTTP, and what they know for certain.
- `story`: the rehearsal itself.
"""
