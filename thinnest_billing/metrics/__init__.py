"""`/metrics`: what an operator's Prometheus reads.

- `counting`: requests as this web process saw them, and what the other processes of this server have counted.
- `measuring`: the middleware that counts.
- `figures`: what the database and Redis tell: money, queues, proofs.
- `text`: Prometheus' own way of writing.
- `page`: the view and who may see it.
"""
