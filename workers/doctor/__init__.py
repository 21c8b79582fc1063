"""What is wrong with an installation, as its own machines see it: `python -m workers.doctor`, and
`GET /api/v1/admin/diagnosis` for `retort doctor`.
"""
