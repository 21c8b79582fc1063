"""A worker that takes one job from Postgres, does it, and ends (docs/take-one.md)."""
