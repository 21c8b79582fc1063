"""Streamed readers, one file per format: memory does not grow with the file.

`app.datasets.reading.open_table` chooses one by content, then by name.
"""
