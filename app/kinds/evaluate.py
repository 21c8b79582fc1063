"""evaluate: a model version measured on labelled rows."""

from sqlalchemy.orm import Session

from app.core.errors import InvalidInput, UnknownName
from app.core.names import listed, shown
from app.evaluation.params import EvaluateParams
from app.jobs.submit import Attach, NewJob, with_params
from app.kinds.base import JobKind, no_attach
from app.kinds.references import field, need_dataset
from app.models.records import resolve_model
from app.resources import Resources


def resolve(
    resources: Resources, session: Session, new: NewJob, params: EvaluateParams
) -> tuple[NewJob, Attach | None]:
    del resources
    with field("/params/model"):
        model = resolve_model(session, new.project_id, params.model)
    _check_targets([target["name"] for target in model.targets], params)
    new = with_params(new, model_id=str(model.id))
    if params.dataset is None:
        if model.dataset_id is None:
            with field("/params/dataset"):
                raise InvalidInput(
                    "the model was imported, so it has no data set here",
                    remedy="Name a data set with measured values as `dataset`.",
                )
        return no_attach(with_params(new, dataset_id=str(model.dataset_id)))
    new = need_dataset(session, new, params.dataset)
    if params.part == "test" and new.params["dataset_id"] != str(model.dataset_id):
        with field("/params/part"):
            raise InvalidInput(
                "the model's test rows are rows of the data set that it was trained on",
                remedy='Set "part": "all" for another data set, or leave `dataset` out.',
            )
    return no_attach(new)


def _check_targets(known: list[str], params: EvaluateParams) -> None:
    for number, name in enumerate(params.targets):
        if name not in known:
            with field(f"/params/targets/{number}"):
                raise UnknownName(
                    f"the model does not predict {shown(name)}",
                    remedy=f"It predicts, the nearest first: {listed(name, known)}.",
                )


EVALUATE = JobKind(
    name="evaluate", params=EvaluateParams, queue="cpu", resolve=resolve, only_reads=True
)
