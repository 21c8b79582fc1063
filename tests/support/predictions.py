"""Past predictions by the thousand, and entries of the history as a gateway makes them."""

from dataclasses import dataclass, field
from uuid import UUID

from psycopg.types.json import Jsonb

from app.access.principal import Principal
from app.core.ids import new_id
from app.db.base import DEFAULT_PROJECT_ID
from app.db.projects import ProjectRow
from app.history.entries import Answered, entries_of
from app.history.records import structure_key
from app.prediction.answer_cache import input_key, split

CALLER = Principal(project_id=DEFAULT_PROJECT_ID, name="key:test")


@dataclass(frozen=True, kw_only=True)
class Named:
    name: str = "esol"
    number: int = 1
    id: UUID = field(default_factory=new_id)


def answer(smiles, *, canonical=None, value=-0.5, id_=None):
    """An item as app/prediction/answers.py makes it."""
    return {
        "id": id_,
        "input": smiles,
        "canonical_smiles": canonical or smiles,
        "status": "ok",
        "reason": None,
        "notes": [],
        "targets": {"y": {"value": value, "unit": None}},
        "domain": None,
    }


def answered(smiles, *, as_bytes=False, cached=False, **told):
    given = {"smiles": smiles, "id": told.get("id_"), "features": None}
    item = answer(smiles, **told)
    return Answered(
        given=given,
        input_key=input_key(given),
        answer=split(item) if as_bytes else item,
        cached=cached,
    )


def entries(*smiles, model=None, caller=CALLER, request_id="r-1", **options):
    items = [one if isinstance(one, Answered) else answered(one) for one in smiles]
    return entries_of(model or Named(), items, caller=caller, request_id=request_id, **options)


def fill_predictions(database, count, *, names=20, structures=500, requests=10):
    """`count` predictions in time's order, structures and model names in turn, two versions; and
    between them twice as many of another project. The ids of ours, oldest first.
    """
    with database.session() as session:
        strangers = ProjectRow(name="many strangers")
        session.add(strangers)
        session.flush()
        projects = (DEFAULT_PROJECT_ID, strangers.id, strangers.id)
    ids = sorted(new_id() for _ in range(3 * count))
    model = new_id()
    with database.cursor() as cursor, cursor.copy(_COPY) as copy:
        for place, id_ in enumerate(ids):
            n = place // 3
            smiles = "C" * (n % structures + 1)
            copy.write_row(
                (
                    *(id_, projects[place % 3], "key:test", model, f"model-{n % names}"),
                    *(n // names % 2 + 1, "shadow" if n % 500 == 1 else "live"),
                    *(model if n % 100 == 1 else None, input_key({"smiles": smiles})),
                    *(smiles, structure_key(smiles), Jsonb({"smiles": smiles}), Jsonb({})),
                    f"request-{n // requests}",
                )
            )
    with database.cursor() as cursor:
        cursor.execute("ANALYZE predictions")
    return ids[::3]


_COPY = """COPY predictions (id, project_id, created_by, model_id, model_name, model_number, mode,
    endpoint_id, input_hash, structure, structure_key, input, output, request_id) FROM STDIN"""
