"""Backup and restore of Postgres and blobs, one command each (docs/backup.md)."""
