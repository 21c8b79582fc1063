"""The synchronous path: names resolved, known answers read, the rest asked of serving processes."""
