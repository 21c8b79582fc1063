"""Expected calibration error."""

import numpy as np

from app.metrics.base import CountedMetric, Values, metrics, undefined
from app.metrics.ranking import ratio

_BINS = 15


@metrics.register
class ExpectedCalibrationError(CountedMetric):
    """15 bins of equal width, closed above: (0, 1/15], (1/15, 2/15], ... (0 is in the first).

    Binary: the positive class's probability against the share of positives in the bin (Naeini et
    al. 2015). Multiclass: the highest probability against the share of right answers (Guo et al.
    2017). The mean gap over the bins, each weighted by its rows; an empty bin counts nothing.
    """

    name = "expected_calibration_error"
    aliases = ("ece",)
    summary = "Mean gap between predicted probability and observed share, in 15 equal-width bins"
    reference = "Naeini, Cooper & Hauskrecht 2015; Guo et al. 2017; sklearn.calibration"
    tasks = frozenset({"binary", "multiclass"})
    direction = "minimize"

    def counted(
        self, y_true: Values, y_pred: Values, probabilities: Values | None, counts: Values
    ) -> Values:
        del y_pred
        if probabilities is None:
            return undefined(counts)
        if probabilities.shape[1] == 2:  # noqa: PLR2004 - two classes
            claimed, came = probabilities[:, 1], y_true == 1
        else:
            claimed, came = probabilities.max(axis=1), probabilities.argmax(axis=1) == y_true
        inner_edges = np.linspace(0.0, 1.0, _BINS + 1)[1:-1]
        gaps = np.zeros((len(claimed), _BINS))
        gaps[np.arange(len(claimed)), np.searchsorted(inner_edges, claimed)] = came - claimed
        return ratio(np.abs(counts @ gaps).sum(axis=1), counts.sum(axis=1))
