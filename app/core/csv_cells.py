"""Text that is safe in a CSV which somebody opens in a spreadsheet."""

#: a spreadsheet would run what begins so
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def safe_cell(text: str) -> str:
    """A leading quote for what a spreadsheet would run as a formula (OWASP: CSV injection).

    SMILES such as `=O` or `-1` would be hit too: the quote is what spreadsheets expect.
    """
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
