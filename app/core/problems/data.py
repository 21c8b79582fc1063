"""Problems of files and data sets."""

from app.core.problems.base import ProblemType

PROBLEMS = (
    ProblemType(
        code="empty_file",
        title="The file is empty",
        category="invalid",
        cause="The file has no bytes, or only blanks, line ends, empty cells or empty sheets.",
        remedy="Upload a file with a header and rows.",
    ),
    ProblemType(
        code="path_not_allowed",
        title="The path may not be read",
        category="invalid",
        cause="A file was named by its path on the server (`dataset_path`), and that path is not "
        "below one of the folders that the setting RETORT_IMPORT_ROOTS names: it lies elsewhere, "
        "climbs with `..`, is a link that leads outside, or no plain file.",
        remedy="Put the file into an import folder and write its path below that; or upload it: "
        "POST /api/v1/files.",
        example='{"dataset_path": "../../etc/passwd"}',
    ),
    ProblemType(
        code="bucket_not_allowed",
        title="Blobs are not read from that bucket",
        category="invalid",
        cause="A command of OSDR named a `bucket` that is neither `retort` (or the name of the "
        "installation's own S3 bucket) nor the last part of an import folder "
        "(RETORT_IMPORT_ROOTS). Retort fetches nothing from a place that a request names.",
        remedy="Send the file (POST /api/v1/files), then write `retort` as the bucket and the "
        "file's id as blob_id.",
        example='{"blob_id": "set.sdf", "bucket": "somebody-elses"}',
    ),
    ProblemType(
        code="not_a_table",
        title="The file is not a table",
        category="invalid",
        cause="The file is binary (it holds NUL bytes), a web page, or JSON that is neither lines "
        "of objects nor an array of objects.",
        remedy="Export it as CSV, Excel (.xlsx), Parquet, SMILES, SDF, mol2 or JSON lines.",
    ),
    ProblemType(
        code="damaged_file",
        title="The file is damaged",
        category="invalid",
        cause="The compressed stream ends too early or its checksum is wrong, a workbook "
        "or Parquet file cannot be opened, or the text stops being a table at the named line (an "
        "open quote, a cell, line or record of many megabytes).",
        remedy="Compress or export it again and upload it; check quotes near the named line.",
    ),
    ProblemType(
        code="unsupported_format",
        title="The file is of a format that is not read",
        category="invalid",
        cause="It is an older or protected office file, an archive of another kind, a picture, a "
        "program or the like; what it is, is said.",
        remedy="Save or export the table as .xlsx, .csv, Parquet or SDF and upload that.",
    ),
    ProblemType(
        code="wrong_format",
        title="The file is not of the format that was said",
        category="invalid",
        cause="The request names a `format`, and the content is another one.",
        remedy="Leave `format` out: it is found by content.",
        example='"format": "excel" for a CSV file',
    ),
    ProblemType(
        code="unknown_sheet",
        title="The workbook has no such sheet",
        category="invalid",
        cause="The request names a `sheet` that is not in the workbook: often a misspelling.",
        remedy="Use one of the sheets listed, or leave `sheet` out for the first that is not "
        "empty.",
    ),
    ProblemType(
        code="archive_members",
        title="The archive does not hold exactly one data file",
        category="invalid",
        cause="A zip archive stands for one file; this one holds none, or several.",
        remedy="Zip exactly one data file, or upload the files one by one.",
    ),
    ProblemType(
        code="nested_archive",
        title="The archive holds another archive",
        category="invalid",
        cause="An archive inside of an archive is not unfolded.",
        remedy="Upload the data file itself, gzipped or zipped once.",
    ),
    ProblemType(
        code="encrypted_archive",
        title="The archive is encrypted",
        category="invalid",
        cause="The zip archive asks for a password, and there is no way to give one.",
        remedy="Zip it without a password.",
    ),
    ProblemType(
        code="compression_ratio",
        title="The file unfolds to suspiciously many bytes",
        category="too_large",
        cause="What is compressed this much is usually made to fill a disk (a zip bomb).",
        remedy="Upload it uncompressed, or in parts, if it is real data.",
    ),
    ProblemType(
        code="too_many_columns",
        title="The file has too many columns",
        category="invalid",
        cause="More columns than a table may have; often the separator or the line ends were "
        "mistaken.",
        remedy="Keep the columns that you need; check the separator and the line ends.",
    ),
    ProblemType(
        code="too_many_rows",
        title="The file has too many rows",
        category="too_large",
        cause="More rows than this installation takes in one file.",
        remedy="Split the file, or ask the operator to raise RETORT_MAX_ROWS.",
    ),
    ProblemType(
        code="no_rows",
        title="The file has no data row",
        category="invalid",
        cause="There is a header, and nothing below it; or an SDF without a record.",
        remedy="Add at least one row below the header; each SDF record ends with `$$$$`.",
    ),
    ProblemType(
        code="no_structure_column",
        title="No column holds structures",
        category="invalid",
        cause="The rows are to be molecules (`kind`, or a column named like structures), and no "
        "column reads as SMILES in at least half of the first rows.",
        remedy='Name the column: `"roles": {"<column>": "smiles"}`.',
        example="a,b\n1,2",
    ),
    ProblemType(
        code="no_usable_column",
        title="No column can be learned from",
        category="invalid",
        cause="A table needs a column to learn and at least one to learn it from; the others are "
        "empty, constant, identifiers or free text.",
        remedy="Name the columns by `roles`, or give the file columns with numbers, classes or "
        "dates.",
    ),
    ProblemType(
        code="conflicting_roles",
        title="The roles contradict each other",
        category="invalid",
        cause="A role that one column can have was given to two, e.g. smiles.",
        remedy="Give that role to one column.",
        example='"roles": {"smiles": "smiles", "SMILES_2": "smiles"}',
    ),
    ProblemType(
        code="rows_refused",
        title="Too many rows cannot be used",
        category="invalid",
        cause="All rows, or more than `max_bad_fraction` of them, were refused, each with a "
        "reason; mostly the structures were read from the wrong column.",
        remedy="Name another column by `roles`, correct the rows, or raise max_bad_fraction.",
    ),
    ProblemType(
        code="dataset_not_ready",
        title="The data set is not ready",
        category="conflict",
        cause="Its ingest job has not ended yet, or did not succeed.",
        remedy="Wait for its ingest job, or name that job in `needs`.",
    ),
    ProblemType(
        code="dataset_failed",
        title="The data set could not be ingested",
        category="invalid",
        cause="The job that should have filled this version of the data set failed or was "
        "cancelled.",
        remedy="See the error of its ingest job; ingest a corrected file.",
    ),
    ProblemType(
        code="hash_mismatch",
        title="The bytes are not those that were announced",
        category="invalid",
        cause="The SHA-256 of what arrived differs from the one that was declared: it was damaged "
        "on the way, or the file changed meanwhile.",
        remedy="Send it again; declare the hash of the file as it is now.",
    ),
    ProblemType(
        code="no_such_part",
        title="The upload has no part of this number",
        category="invalid",
        cause="Parts are numbered from 1; size and `part_bytes` of the upload say how many there "
        "are.",
        remedy="Cut the file into parts of `part_bytes` and number them from 1.",
    ),
    ProblemType(
        code="wrong_part_size",
        title="The part has another size",
        category="invalid",
        cause="Every part has `part_bytes` bytes, the last one what is left.",
        remedy="Cut the file into parts of `part_bytes` and send this one again.",
    ),
    ProblemType(
        code="upload_incomplete",
        title="Parts of the upload are missing",
        category="invalid",
        cause="The upload was to be completed before all of its parts had arrived.",
        remedy="Send the parts named in errors, then complete the upload again.",
    ),
    ProblemType(
        code="upload_completed",
        title="The upload is complete already",
        category="conflict",
        cause="A part came with other bytes after the upload had been completed.",
        remedy="Use the file that it made, or begin a new upload.",
    ),
    ProblemType(
        code="upload_changed",
        title="The upload changed while it was completed",
        category="conflict",
        cause="A part was replaced at the same moment.",
        remedy="Complete the upload again when all parts are as they should be.",
    ),
    ProblemType(
        code="upload_busy",
        title="The upload is being completed",
        category="conflict",
        cause="Another request completes it right now.",
        remedy="Send the same request again after the seconds named in Retry-After.",
        retryable=True,
    ),
    ProblemType(
        code="too_many_uploads",
        title="Too many uploads are open",
        category="too_many",
        cause="Uploads that were begun hold space until they are completed, deleted or expired.",
        remedy="Complete or delete some: GET /api/v1/files/uploads lists them.",
        retryable=True,
    ),
    ProblemType(
        code="range_not_satisfiable",
        title="The file ends before that range",
        category="range",
        cause="The header Range asks for bytes that the file does not have.",
        remedy="Ask for bytes within the size that Content-Range names.",
    ),
    ProblemType(
        code="content_missing",
        title="Stored content is missing",
        category="fault",
        cause="A file that the database knows is not in the blob store: it was deleted by hand, or "
        "the store was restored from another time.",
        remedy="Tell the operator the request or job id: `make verify` names what is missing, a "
        "backup brings it back. Upload or train again if there is none.",
    ),
    ProblemType(
        code="units_do_not_match",
        title="The units measure different quantities",
        category="invalid",
        cause="A comparison, or an evaluation, was asked of values whose units cannot be turned "
        "into each other: they measure different quantities, one is a logarithm and the other is "
        "not, or a unit is not known here. Both are named.",
        remedy="Give both sides in one unit, or name the right units.",
        example='{"units": {"gap": "eV"}, "reference_units": {"gap": "nm"}}',
    ),
)
