"""Commands that arrive as messages become jobs, through the same door as requests."""
