"""Text that is safe in a CSV which somebody opens in a spreadsheet."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def safe_cell(text: str) -> str:
    """A leading quote for what a spreadsheet would run as a formula (OWASP: CSV injection).

    SMILES such as `=O` or `-1` would be hit too: the quote is what spreadsheets expect.
    """
    return f"'{text}" if text.startswith(_FORMULA) else text
