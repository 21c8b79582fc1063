"""Whether what was learned of features was learned from training rows only."""

from app.core.hashing import content_key
from app.features.fitted import FittedFeatures
from app.training.leaks.findings import Finding
from app.training.material import Material, rows_hash


def fitted_outside(material: Material, features: FittedFeatures) -> list[Finding]:
    """`features` say which rows they were fitted on: training rows, with or without validation
    rows, all of them. Fitted again on these they must have learned the same.
    """
    split = material.split.split
    for rows in (split.train, material.learned):
        usable = material.usable(rows)
        if rows_hash(usable) == features.rows_hash:
            again = material.fit_features(usable)
            if content_key(list(again.state())) == content_key(list(features.state())):
                return []
    return [
        Finding(
            leak="fitted_outside",
            severity="error",
            detail="the features were not learned from exactly the training rows",
            remedy="Report this: a training must never do so.",
            rows=split.test.tolist(),
        )
    ]
