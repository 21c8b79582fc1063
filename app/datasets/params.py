"""What an `ingest` job takes."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from app.core.requests import RequestModel, Slug

#: what a column is for. `feature`: of a table, what is learned from; `weight`: how much a row
#: counts in a fit, 0 or more
ColumnRole = Literal["smiles", "target", "feature", "weight", "id", "split", "ignore"]

#: csv: any separator; each of them plain, gzipped or zipped
FileFormat = Literal["auto", "csv", "tsv", "excel", "parquet", "smiles", "sdf", "mol2", "jsonl"]
#: of a column about people: left out, or kept as a hash
Personal = Literal["drop", "hash"]
DecimalSign = Literal["auto", "point", "comma"]


class ReadParams(RequestModel):
    """How a file is read. What is not said is guessed."""

    #: auto: by content, then by file name
    format: FileFormat = "auto"
    #: sheet of an Excel workbook; left out: the first that is not empty
    sheet: str | None = Field(default=None, max_length=100)
    #: how numbers are written; auto: seen from the first rows
    decimal: DecimalSign = "auto"
    #: auto: molecules when a column holds structures, else a table
    kind: Literal["auto", "molecule", "table"] = "auto"
    #: overrides of guessed roles, {"column name": role}
    roles: dict[str, ColumnRole] = Field(default_factory=dict, max_length=5_000)
    #: columns about people, {"column name": drop | hash}: dropped or hashed before anything is
    #: stored, never learned from
    personal: dict[str, Personal] = Field(
        default_factory=dict,
        max_length=5_000,
        # workers of the release before do not know it
        exclude_if=lambda said: not said,
    )
    #: units of number columns, {"column name": "nM"}; else those that the header names
    units: dict[str, Annotated[str, Field(max_length=50)]] = Field(
        default_factory=dict, max_length=5_000
    )


class IngestParams(ReadParams):
    """Read a file into a dataset. What is not said is guessed, and the guess is in the report."""

    file_id: UUID
    #: dataset name; each ingest makes its next version
    name: Slug
    #: duplicates are rows of equal standardized structure; in a table, rows equal in every cell
    #: (identifier included). `merge` averages numeric targets (arithmetic mean) and takes the
    #: majority of class labels (a tie is a missing label); `keep_first` keeps the first row;
    #: `keep_all` merges nothing; `auto` is `merge`, but `keep_all` for a table without identifier
    duplicates: Literal["auto", "merge", "keep_first", "keep_all"] = "auto"
    #: succeed only when at most this share of rows is refused
    max_bad_fraction: float = Field(default=0.5, ge=0, le=1)
    #: dataset row made by the gateway when the job was accepted (never sent by clients)
    dataset_id: UUID | None = None
