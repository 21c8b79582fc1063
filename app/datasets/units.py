"""The unit that a header names: `expt (kcal/mol)`, `IC50 [nM]`, `solubility in mols per litre`."""

import re

_SYMBOL = (
    r"(?:log\s*)?(?:[fpnuµμmkcdMG]?(?:mol|M|g|L|l|m|s|Da|eV|V|A|J|cal|Hz|Pa|bar|K|N|W|T)"
    r"|°C|°F|%|Å|A\^?2|Å\^?2|ppm|ppb|min|h|hr|hours|days|d|years|rpm|pH|U|IU|cells|USD|EUR|\$|€)"
)
_UNIT = re.compile(rf"{_SYMBOL}(?:\^?-?\d)?(?:\s*[/*·. ]\s*{_SYMBOL}(?:\^?-?\d)?)*")
_BRACKETED = re.compile(r"[(\[{]\s*([^()\[\]{}]{1,30}?)\s*[)\]}]\s*$")
_WORDS = {
    re.compile(r"\bin mol(?:e)?s? per lit(?:re|er)$", re.IGNORECASE): "mol/L",
    re.compile(r"\bin kcal per mol(?:e)?$", re.IGNORECASE): "kcal/mol",
    re.compile(r"\bin (?:degrees )?celsius$", re.IGNORECASE): "°C",
}


def unit_of(header: str) -> str | None:
    """None when the header names none that is known: `LogP(RRCK)` has no unit."""
    bracketed = _BRACKETED.search(header)
    if bracketed is not None and _UNIT.fullmatch(bracketed[1]):
        return bracketed[1]
    for pattern, unit in _WORDS.items():
        if pattern.search(header.strip()):
            return f"log {unit}" if re.search(r"\blog", header, re.IGNORECASE) else unit
    return None
