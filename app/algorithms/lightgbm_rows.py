"""LightGBM asked for single rows through its C interface, settings read once.

`Booster.predict` makes a predictor and reads its settings for each call, which takes as long as
600 trees do. Reference: LightGBM's `c_api.h`, LGBM_BoosterPredictForMatSingleRowFast.
"""

import ctypes
import weakref
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from app.algorithms.fast_forms import Numbers

Matrix = NDArray[Any]
_FLOAT32, _NORMAL, _FROM_THE_FIRST = 0, 0, 0
_SETTINGS = b"num_threads=1"


class BoosterRows:
    """Equal to `booster.predict`, to the last bit. Raises RuntimeError where the library is not as
    expected.
    """

    def __init__(self, booster: Any) -> None:
        from lightgbm.basic import _LIB

        #: it owns what the predictor reads
        self._booster = booster
        self._library = _LIB
        self.width: int = booster.num_feature()
        self._outputs: int = booster.num_model_per_iteration()
        self._config = ctypes.c_void_p()
        self._ask = _LIB.LGBM_BoosterPredictForMatSingleRowFast
        failed = _LIB.LGBM_BoosterPredictForMatSingleRowFastInit(
            booster._handle,  # noqa: SLF001 - lightgbm has no public name for it; proved equal
            ctypes.c_int(_NORMAL),
            ctypes.c_int(_FROM_THE_FIRST),
            ctypes.c_int(booster.best_iteration),
            ctypes.c_int(_FLOAT32),
            ctypes.c_int32(self.width),
            ctypes.c_char_p(_SETTINGS),
            ctypes.byref(self._config),
        )
        if failed:
            raise RuntimeError("LightGBM gives no predictor of single rows")
        weakref.finalize(self, _LIB.LGBM_FastConfigFree, self._config)

    def predict(self, X: Matrix) -> NDArray[np.float64]:
        """(n, outputs) of X (n, width)."""
        rows = np.ascontiguousarray(X, dtype=np.float32)
        found = np.empty((len(rows), self._outputs))
        written = ctypes.c_int64()
        data, out = rows.ctypes.data, found.ctypes.data
        for row in range(len(rows)):
            failed = self._ask(
                self._config,
                ctypes.c_void_p(data + row * rows.strides[0]),
                ctypes.byref(written),
                ctypes.c_void_p(out + row * found.strides[0]),
            )
            if failed or written.value != self._outputs:
                raise RuntimeError("LightGBM did not predict a single row")
        return found


class LightGbmForm:
    engine: ClassVar[str] = "LightGBM's own predictor of single rows"

    def __init__(self, booster: Any, *, classifies: bool) -> None:
        self._rows = BoosterRows(booster)
        self.width = self._rows.width
        self._classifies = classifies

    def numbers(self, X: Matrix) -> Numbers:
        found = self._rows.predict(X)
        if self._classifies and found.shape[1] == 1:
            found = np.column_stack([1 - found, found])
        return Numbers(values=found)
