"""Problems of models that leave or come in."""

from app.core.problems.base import ProblemType

PROBLEMS = (
    ProblemType(
        code="export_not_possible",
        title="The model cannot be written in this format",
        category="invalid",
        cause="The format has no form for what the model does, or what it would hold predicts "
        "otherwise than the model does, by more than a relative difference of 0.0001.",
        remedy='Export it as "bundle" or "pyfunc": they hold the model itself.',
        example='{"model": "esol:3", "format": "onnx"} of a Gaussian process',
    ),
    ProblemType(
        code="exporter_unavailable",
        title="The converter is not installed here",
        category="invalid",
        cause="ONNX needs packages that this installation does not have.",
        remedy='Ask the operator to install them (`pip install "retort-server[onnx]"`), or export '
        'as "bundle" or "pyfunc".',
    ),
    ProblemType(
        code="bundle_refused",
        title="The file is no bundle that may be loaded",
        category="invalid",
        cause="The file is no zip of an exported model, unfolds to more than allowed, or holds "
        "what a bundle never holds: paths that lead outside, links, files that its manifest does "
        "not name, pickles.",
        remedy="Export the model again, as `bundle`, and upload that file unchanged.",
        example='{"file_id": "<a zip of something else>"}',
    ),
    ProblemType(
        code="bundle_altered",
        title="The bundle is not what was exported",
        category="invalid",
        cause="A SHA-256 differs: that of the whole file from the one in the request, or that of a "
        "file in it from the one in the manifest. It was edited or damaged on its way.",
        remedy="Fetch the bundle again from where it was exported, and upload it unchanged.",
    ),
    ProblemType(
        code="bundle_predicts_otherwise",
        title="The model predicts here otherwise than where it was exported",
        category="invalid",
        cause="A bundle holds a few rows with what the model said of them; computed here, the "
        "answers differ by more than 0.0001 of their size. Versions of libraries differ too much.",
        remedy="Install the versions of the libraries that the bundle's manifest names, or train "
        "the model here.",
    ),
)
