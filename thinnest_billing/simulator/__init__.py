"""A small agent platform: it works, asks and reports over the real HTTP API, like anybody's would.

- `http`: one connection, JSON, an API key.
- `scripts`: what the platform says about one piece of work, request by request.
- `campaigns`: which campaigns may run, and their calls one after the other.
- `platform`: plays many scripts at once, repeats what got lost, and obeys refusals.

It knows nothing of Django or the database, and imports no other module of the project but the demo's work.
"""
