"""A gateway in this process, on real Postgres and Redis."""

import pytest

from app.access.keys import create_key
from app.db.projects import ProjectRow


@pytest.fixture
def stranger(resources):
    """Headers of a caller in another project."""
    with resources.database.session() as session:
        project = ProjectRow(name="other")
        session.add(project)
        session.flush()
        key = create_key(session, name="stranger", project_id=project.id)
    return {"Authorization": f"Bearer {key.text}"}


@pytest.fixture
def file_id(api):
    rows = "".join(f"{'C' * n}O,{n}\n" for n in range(1, 30))
    files = {"file": ("mols.csv", f"smiles,y\n{rows}".encode())}
    return api.post("files", files=files).json()["id"]


@pytest.fixture
def ingest(file_id):
    return {"kind": "ingest", "params": {"file_id": file_id, "name": "mols"}}


@pytest.fixture
def problem():
    """Asserts that a response is a problem document; its body."""

    def check(response, status, code):
        assert response.status_code == status, response.text
        body = response.json()
        assert body["code"] == code, body
        assert body["remedy"]
        assert "Traceback" not in response.text
        return body

    return check
