"""All kinds by name."""

from app.kinds.base import JobKind
from app.kinds.compare import COMPARE
from app.kinds.evaluate import EVALUATE
from app.kinds.export import EXPORT
from app.kinds.featurize import FEATURIZE
from app.kinds.import_model import IMPORT_MODEL
from app.kinds.ingest import INGEST
from app.kinds.optimize import OPTIMIZE
from app.kinds.predict import PREDICT
from app.kinds.predict_structure import PREDICT_STRUCTURE
from app.kinds.train import TRAIN

KINDS: dict[str, JobKind] = {
    kind.name: kind
    for kind in (
        *(INGEST, FEATURIZE, TRAIN, OPTIMIZE, COMPARE, PREDICT, PREDICT_STRUCTURE, EVALUATE),
        *(EXPORT, IMPORT_MODEL),
    )
}
