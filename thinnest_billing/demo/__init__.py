"""The demo account of the trial: 60 days of believable usage, made by the code that makes the real thing.

- `work`: what the demo's agents do. Shared with the simulator, which goes on where the demo data ends.
- `history`: which of it happened when, and when funds were added.
- `seed`: makes it so, on a moved clock, oldest first.
- `credentials`: what a visitor of the trial needs to know, kept in a file of the trial's data folder.
"""
