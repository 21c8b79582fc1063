"""Units that mean the same quantity: which can be turned into which, and how.

A unit that is not here equals only itself. Logarithms are never turned: `log mol/L` and `mol/L`
are different scales, not different units.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.core.errors import InvalidInput

#: of 2019 (SI), exact: J/cal (thermochemical), C, 1/mol, J/K
_CALORIE = 4.184
_ELECTRON_VOLT = 1.602176634e-19
_AVOGADRO = 6.02214076e23
_BOLTZMANN = 1.380649e-23
#: CODATA 2022, J
_HARTREE = 4.3597447222060e-18
_KELVIN_OF_CELSIUS = 273.15


@dataclass(frozen=True, kw_only=True)
class _Unit:
    """Value in the quantity's base unit: factor * value + offset."""

    quantity: str
    factor: float
    offset: float = 0.0


def _scaled(quantity: str, units: dict[str, float]) -> dict[str, _Unit]:
    return {name: _Unit(quantity=quantity, factor=factor) for name, factor in units.items()}


#: energies of one particle and of one mole of them are one quantity, as chemists use them
_KNOWN = {
    **_scaled(
        "energy",
        {
            "J/mol": 1.0,
            "kJ/mol": 1e3,
            "cal/mol": _CALORIE,
            "kcal/mol": 1e3 * _CALORIE,
            "eV": _ELECTRON_VOLT * _AVOGADRO,
            "meV": 1e-3 * _ELECTRON_VOLT * _AVOGADRO,
            "Hartree": _HARTREE * _AVOGADRO,
            "Eh": _HARTREE * _AVOGADRO,
        },
    ),
    **_scaled(
        "concentration",
        {
            "mol/L": 1.0,
            "M": 1.0,
            "mmol/L": 1e-3,
            "mM": 1e-3,
            "umol/L": 1e-6,
            "uM": 1e-6,
            "nmol/L": 1e-9,
            "nM": 1e-9,
            "pmol/L": 1e-12,
            "pM": 1e-12,
        },
    ),
    **_scaled("mass concentration", {"g/L": 1.0, "mg/mL": 1.0, "mg/L": 1e-3, "ug/mL": 1e-3}),
    **_scaled("length", {"m": 1.0, "cm": 1e-2, "mm": 1e-3, "um": 1e-6, "nm": 1e-9, "Å": 1e-10}),
    **_scaled("pressure", {"Pa": 1.0, "kPa": 1e3, "MPa": 1e6, "GPa": 1e9, "bar": 1e5}),
    **_scaled("time", {"s": 1.0, "ms": 1e-3, "min": 60.0, "h": 3600.0, "d": 86_400.0}),
    **_scaled("share", {"%": 1e-2, "1": 1.0}),
    "K": _Unit(quantity="temperature", factor=1.0),
    "°C": _Unit(quantity="temperature", factor=1.0, offset=_KELVIN_OF_CELSIUS),
    "°F": _Unit(quantity="temperature", factor=5 / 9, offset=_KELVIN_OF_CELSIUS - 32 * 5 / 9),
}
#: an error of this size is what a chemist lives with: chemical accuracy; half a log unit, as
#: independent measurements of one potency differ (Kramer et al. 2012)
_CHEMICAL_ACCURACY = 1e3 * _CALORIE
_LOG_UNITS = 0.5


def convert(
    values: NDArray[np.float64],
    unit: str | None,
    to: str | None,
    what: str,
    remedy: str | None = None,
) -> NDArray[np.float64]:
    """`values` in `to`; as they are where a unit is not known, or both are one.

    Raises InvalidInput naming both where they do not measure one quantity, or are not known here.
    """
    if unit is None or to is None or unit == to:
        return values
    source, target = _KNOWN.get(_plain(unit)), _KNOWN.get(_plain(to))
    if _plain(unit) == _plain(to):
        return values
    if source is None or target is None or source.quantity != target.quantity:
        raise InvalidInput(
            f"{what}: the reference is in {unit}, the prediction in {to}, and the one cannot be"
            " turned into the other",
            code="units_do_not_match",
            remedy=remedy,
        )
    return (values * source.factor + source.offset - target.offset) / target.factor


def factor_between(unit: str | None, to: str | None) -> float:
    """What turns a difference in `unit`, such as a standard deviation, into one in `to`."""
    one, zero = convert(np.array([1.0, 0.0]), unit, to, "a difference")
    return float(one - zero)


def usual_tolerance(unit: str | None) -> tuple[float, str] | None:
    """(the error that is usually accepted, in `unit`; its name), for energies and logarithms."""
    if unit is None:
        return None
    known = _KNOWN.get(_plain(unit))
    if known is not None and known.quantity == "energy":
        return _CHEMICAL_ACCURACY / known.factor, "chemical accuracy, 1 kcal/mol"
    if unit.lower().startswith("log"):
        return _LOG_UNITS, "half a log unit"
    return None


def _plain(unit: str) -> str:
    """One spelling: `µM` and `μM` are `uM`."""
    return unit.strip().replace("µ", "u").replace("μ", "u")
