"""Problems of training, tuning and models."""

from app.core.problems.base import ProblemType

PROBLEMS = (
    ProblemType(
        code="no_target",
        title="There is no column to learn",
        category="invalid",
        cause="No column of the data set has the role target, and the request names none.",
        remedy='Name one: `"targets": ["<column>"]`, and give it the role target at ingest.',
    ),
    ProblemType(
        code="missing_target",
        title="A column to compare with is missing",
        category="invalid",
        cause="The model predicts a target that the data set has no column for.",
        remedy="Give the measured values the column name of the target and the role target at "
        "ingest.",
    ),
    ProblemType(
        code="no_labels",
        title="A target has no label",
        category="invalid",
        cause="Every cell of the target is empty or no finite number (NaN and infinity count as "
        "missing), or none of the rows that train has one.",
        remedy="Fill in the column, or choose another target.",
    ),
    ProblemType(
        code="constant_target",
        title="The target is constant",
        category="invalid",
        cause="All labels are the same number: there is nothing to learn.",
        remedy="Choose a column whose values differ.",
    ),
    ProblemType(
        code="one_class",
        title="The target has one class only",
        category="invalid",
        cause="All labels, or all of the rows that train, are of one class.",
        remedy="Give rows of at least two classes, or use a stratified split.",
    ),
    ProblemType(
        code="too_many_classes",
        title="The target has too many classes",
        category="invalid",
        cause="More different values than a classifier can learn; often the column is a number.",
        remedy='Is it a number? Then set `"task": "regression"`.',
    ),
    ProblemType(
        code="target_not_numeric",
        title="The target holds words",
        category="invalid",
        cause="A regression needs numbers, and cells of this column are none.",
        remedy='Set `"task": "binary"` or `"multiclass"`, or leave it out.',
    ),
    ProblemType(
        code="mixed_targets",
        title="The targets are of different kinds",
        category="invalid",
        cause="One model learns numbers or classes, not both.",
        remedy="Train numbers and classes as separate models, or set `task`.",
    ),
    ProblemType(
        code="invalid_parameters",
        title="The parameters are not valid",
        category="invalid",
        cause="A parameter of an algorithm, featurizer or splitter is unknown, of another type or "
        "outside its limits.",
        remedy="Correct the named parameters; GET /api/v1/catalog shows what each plug-in takes.",
        example='{"algorithm": {"name": "ridge", "params": {"alfa": 1}}}',
    ),
    ProblemType(
        code="algorithm_unavailable",
        title="The algorithm is not installed here",
        category="invalid",
        cause="The algorithm needs a package that this installation does not have.",
        remedy="Choose another algorithm, or ask the operator to install the package; GET "
        "/api/v1/catalog/algorithms says which are available.",
    ),
    ProblemType(
        code="featurizer_unavailable",
        title="The featurizer is not installed here",
        category="invalid",
        cause="The featurizer needs a package that this installation does not have.",
        remedy="Choose another featurizer, or ask the operator to install the package (mordred: "
        '`pip install "retort-server[mordred]"`).',
    ),
    ProblemType(
        code="task_mismatch",
        title="The algorithm or metric is made for another task",
        category="invalid",
        cause="Some algorithms only do regression, some only classes; each metric measures one of "
        "them.",
        remedy="Choose one that fits; GET /api/v1/catalog lists the tasks of each.",
        example='{"task": "binary", "algorithm": {"name": "ridge"}}',
    ),
    ProblemType(
        code="too_many_rows_to_fit",
        title="There are too many rows for this algorithm",
        category="invalid",
        cause="The algorithm compares every row with every other, so that its time and memory grow "
        "with the square or the cube of the rows.",
        remedy="Use an algorithm that grows with the rows themselves, e.g. lightgbm or consensus.",
    ),
    ProblemType(
        code="too_few_rows",
        title="There are too few rows",
        category="invalid",
        cause="The rows with a label cannot be divided into parts that train and test a model.",
        remedy="Give more rows with a target.",
    ),
    ProblemType(
        code="too_few_scaffolds",
        title="The molecules share too few scaffolds",
        category="invalid",
        cause="A scaffold split keeps each scaffold on one side; with so few of them one side "
        "stays empty.",
        remedy="Use the random or stratified split.",
    ),
    ProblemType(
        code="leak_found",
        title="The leak audit found what the request refuses",
        category="invalid",
        cause="Test rows are not new to the model (the same structure or row is learned from), or "
        "a feature column says what the target is, so the scores would flatter the model; "
        'the request says `"leaks": "refuse"`, or it says `"refuse_all"` and '
        "something may be such a leak.",
        remedy='Do what the detail says for each finding, or send `"leaks": "report"` to go on '
        "all the same and find it in the metrics, or in the result of a comparison.",
        example='{"dataset": "esol", "leaks": "refuse"}',
    ),
    ProblemType(
        code="too_few_groups",
        title="There are too few groups to split by",
        category="invalid",
        cause="The split keeps each group (of a column, of similar molecules, of one time) on one "
        "side; with so few of them one side stays empty.",
        remedy="Split by a column with more groups, make clusters smaller by a lower `cutoff`, or "
        "use the random split.",
    ),
    ProblemType(
        code="too_many_to_cluster",
        title="There are too many molecules to cluster",
        category="invalid",
        cause="The time of the cluster split grows with the square of the molecules.",
        remedy="Use the scaffold split.",
    ),
    ProblemType(
        code="too_few_folds",
        title="The rows cannot be folded",
        category="invalid",
        cause="Cross-validation needs at least two parts, and the rule of the split makes one: all "
        "rows share one scaffold or one group, for example.",
        remedy="Give more rows, or use the random split.",
    ),
    ProblemType(
        code="bad_split_column",
        title="The split column cannot be used",
        category="invalid",
        cause="The data set did not keep the column, or its cells do not fit: the column split "
        "needs the words train, validation and test (the first and the last must occur), the time "
        "split dates or numbers.",
        remedy="Give it the role `split` when you ingest the file, with the words train, "
        "validation and test, or with dates, numbers or groups for the time and group split.",
    ),
    ProblemType(
        code="too_many_trials",
        title="More trials than allowed",
        category="invalid",
        cause="A study of this size is not allowed in this installation.",
        remedy="Ask for fewer trials, or the operator for a higher MAX_TRIALS.",
    ),
    ProblemType(
        code="no_trial_succeeded",
        title="No trial ended well",
        category="invalid",
        cause="Every set of parameters failed, so there are no best ones.",
        remedy="See the job's events for what each trial said.",
    ),
    ProblemType(
        code="metric_undefined",
        title="The metric is defined on no fold",
        category="invalid",
        cause="Every fold lacks what the metric needs, e.g. both classes among its rows.",
        remedy="Give more rows, fewer folds, or choose another metric.",
    ),
    ProblemType(
        code="features_do_not_fit",
        title="The features are not those of the data",
        category="invalid",
        cause="Featurizers of molecules were named for a table, `columns` for a data set without "
        "feature columns, or a model was given data without the columns that it learned from.",
        remedy="Leave `features` out, or name featurizers of the data set's kind (GET "
        "/api/v1/catalog/featurizers says each one's `input`).",
    ),
    ProblemType(
        code="format_does_not_fit",
        title="The result has no such format",
        category="invalid",
        cause="SDF was asked for, but the rows of a table have no structures.",
        remedy="Ask for csv or parquet in `formats`.",
    ),
    ProblemType(
        code="no_rows_here",
        title="The job answers no rows",
        category="invalid",
        cause="Rows were asked for of a job of another kind than predict.",
        remedy="Ask for the rows of a predict job; GET /api/v1/jobs/{id}/artifacts lists what "
        "others have made.",
    ),
    ProblemType(
        code="constant_features",
        title="No feature differs between the training rows",
        category="invalid",
        cause="Every feature column holds one value only over the rows that the model trains on.",
        remedy="Give columns whose values differ the role `feature`, or more rows.",
    ),
    ProblemType(
        code="no_structures",
        title="The rows have no structures",
        category="invalid",
        cause="The data set is a table without molecules, so it has no scaffolds and no "
        "clusters to split by.",
        remedy="Use the split random, stratified, group, time or column.",
    ),
    ProblemType(
        code="date_target",
        title="The target holds dates",
        category="invalid",
        cause="Models learn numbers and classes; a date is neither.",
        remedy="Choose a column of numbers or classes; dates can be features.",
    ),
    ProblemType(
        code="missing_columns",
        title="The file lacks columns that the model learned from",
        category="invalid",
        cause="A model that learned from columns predicts from the same columns, found by name; "
        "none is taken to be 0.",
        remedy="Name the columns as in the training file, and leave cells empty where a value is "
        "not known.",
    ),
    ProblemType(
        code="wrong_input",
        title="The inputs are not what the model predicts from",
        category="invalid",
        cause="A model of molecules was sent rows of a table, or a model of a table SMILES; a "
        "model that learned from columns beside the molecules needs both.",
        remedy='Send {"smiles": "..."}, {"features": {column: value}} or both, as the answer says.',
    ),
    ProblemType(
        code="model_altered",
        title="A model file is not the one that was stored",
        category="conflict",
        cause="The SHA-256 of the file differs from the one in the model's manifest: it was edited "
        "or damaged.",
        remedy="Restore the file from a backup, or train the model again.",
    ),
    ProblemType(
        code="model_outdated",
        title="This version of the product computes the model's features differently",
        category="conflict",
        cause="A featurizer was changed since the model was trained, so its numbers would be "
        "wrong.",
        remedy="Train the model again.",
    ),
    ProblemType(
        code="model_archived",
        title="The model version is archived",
        category="conflict",
        cause="An archived version cannot be given an alias, and none goes back to it.",
        remedy="Restore it (POST /api/v1/models/{ref}/restore), or promote another version.",
    ),
    ProblemType(
        code="ambiguous_id",
        title="The short id means more than one",
        category="conflict",
        cause="Two or more ids end with the digits that were written.",
        remedy="Write more of the id, or the full one.",
        example="GET /compat/worker/model/model-3d9f2a/evaluate",
    ),
)
