"""All kinds by name."""

from app.kinds.base import JobKind
from app.kinds.compare import COMPARE
from app.kinds.evaluate import EVALUATE
from app.kinds.featurize import FEATURIZE
from app.kinds.ingest import INGEST
from app.kinds.optimize import OPTIMIZE
from app.kinds.predict import PREDICT
from app.kinds.train import TRAIN

KINDS: dict[str, JobKind] = {
    kind.name: kind for kind in (INGEST, FEATURIZE, TRAIN, OPTIMIZE, COMPARE, PREDICT, EVALUATE)
}
