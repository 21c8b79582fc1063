"""Each row of the file is accounted for in the model that was made of it."""

import re

import numpy as np
import pytest

from app.core.work import SilentContext
from app.db.datasets import DatasetRow
from app.training import service as training
from app.training.params import TrainParams
from tests.support.datasets import PROJECT, ingested

pytestmark = pytest.mark.req("S0-10", "goal-25")
PARTS = ("train", "validation", "test")


def lines():
    """60 alcohols; then 4 replicates, 3 structures that are none, 2 that have no value of `y` but
    one of `z`, and 5 that the split leaves out.
    """
    rng = np.random.default_rng(0)
    part = rng.permutation(["train"] * 40 + ["validation"] * 8 + ["test"] * 12)
    rows = [f"{'C' * n}O,{n / 10:.2f},,{part[n - 1]}" for n in range(1, 61)]
    rows += [f"{'C' * n}O,{n / 10 + 0.01:.2f},,{part[n - 1]}" for n in range(1, 5)]
    rows += [f"not_{n},1.0,,train" for n in range(3)]
    rows += [f"{'C' * n}N,,2.0,train" for n in range(1, 3)]
    rows += [f"{'C' * n}Cl,{n},," for n in range(1, 6)]
    return "smiles,y,z,part\n" + "\n".join(rows)


def trained(resources, content, **options):
    dataset_id, _ = ingested(
        resources, content, roles={"y": "target", "z": "target", "part": "split"}
    )
    params = TrainParams(
        dataset="d",
        dataset_id=dataset_id,
        algorithm={"name": "ridge"},
        features=({"name": "physchem"},),
        targets=("y",),
        bootstrap=0,
        **options,
    )
    result = training.run(resources, SilentContext(project_id=PROJECT), params).result
    page = resources.storage.read(f"models/{result['model_id']}/report.html").decode()
    card = resources.storage.read(f"models/{result['model_id']}/card.md").decode()
    return dataset_id, result["metrics"], page, card


def test_all_rows_of_the_file_add_up(resources):
    split = {"name": "column", "params": {"column": "part"}}
    dataset_id, metrics, page, card = trained(resources, lines(), split=split)
    found = metrics["rows"]
    assert found["read"] == 74
    assert found["refused"] == 3 == sum(found["reasons"].values())
    assert found["merged"] == 4
    assert found["clean"] == 67
    assert (found["without_target"], found["without_features"], found["on_no_side"]) == (2, 0, 5)
    assert found["used"] == {"train": 40, "validation": 8, "test": 12} == metrics["n"]
    assert found["read"] == found["refused"] + found["merged"] + found["clean"]
    with resources.database.session() as session:
        row = session.get(DatasetRow, dataset_id)
        assert (row.rows_in, row.rows_ok) == (found["read"], found["clean"])
    table = page.partition("Where the rows went")[2].partition("</table>")[0]
    whole, *parts = (int(text) for text in re.findall(r"<b>(\d+)</b>", table))
    assert whole == 74 == sum(parts)
    assert parts == [3, 4, 2, 5, 40, 8, 12]
    assert f"{next(iter(found['reasons']))} (3)" in page
    assert (
        "74 rows read = 3 refused + 4 merged + 2 without target + 5 on no side + 40 train"
        " + 8 validation + 12 test" in card
    )


def test_a_file_without_losses_is_its_parts(resources):
    content = "smiles,y,z,part\n" + "\n".join(f"{'C' * n}O,{n},1,x" for n in range(1, 61))
    _, metrics, page, _ = trained(resources, content)
    found = metrics["rows"]
    assert found["read"] == found["clean"] == sum(found["used"].values()) == 60
    table = page.partition("Where the rows went")[2].partition("</table>")[0]
    assert len(re.findall(r"<b>(\d+)</b>", table)) == 4
    assert "Refused" not in page
