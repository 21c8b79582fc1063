"""Every registered algorithm learns, repeats itself, survives storage, and knows its limits."""

from functools import cache

import numpy as np
import optuna
import pytest
from sklearn.linear_model import Ridge as SklearnRidge
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.preprocessing import StandardScaler

from app.algorithms.base import Examples, FitContext, LearningTask, algorithms
from app.core.errors import InvalidInput, JobCancelled
from app.core.work import SilentContext

RNG = np.random.default_rng(1)
N, WIDTH = 400, 7
X = RNG.normal(size=(N, WIDTH)).astype(np.float32)
X[:, -1] = 7.0  # constant
SIGNAL = X[:, 0] + 0.8 * X[:, 1] - 0.5 * X[:, 2]
#: quick settings, where the defaults take seconds
QUICK = {
    "mlp": {"hidden_sizes": [32], "max_epochs": 40, "learning_rate": 5e-3},
    "lightgbm": {"n_estimators": 150, "colsample_bytree": 0.8},
    "random_forest": {"n_estimators": 60},
    "extra_trees": {"n_estimators": 60},
    "ada_boost": {"n_estimators": 30},
    "k_neighbors": {"n_neighbors": 15},
    "hist_gradient_boosting": {"max_iter": 80, "max_features": 1.0},
    "ridge": {"alpha": 1.0},
    "logistic_regression": {"C": 1.0},
    "xgboost": {"n_estimators": 100, "colsample_bytree": 0.8},
    "catboost": {"iterations": 100, "rsm": 1.0},
}
QUICK["consensus"] = {
    "members": [{"name": n, "params": QUICK[n]} for n in ("lightgbm", "xgboost", "catboost")]
}
REGRESSION = LearningTask(type="regression", targets=("y",))
BINARY = LearningTask(type="binary", targets=("y",), classes=(("no", "yes"),))
MULTI = LearningTask(type="multiclass", targets=("y",), classes=(("a", "b", "c"),))
Y = {
    "regression": SIGNAL + RNG.normal(scale=0.1, size=N),
    "binary": (SIGNAL > 0).astype(float),
    "multiclass": np.digitize(SIGNAL, [-0.6, 0.6]).astype(float),
}
TASKS = {"regression": REGRESSION, "binary": BINARY, "multiclass": MULTI}
CASES = [(n, t) for n in algorithms.names() for t in TASKS if t in algorithms.get(n).tasks]
EACH = pytest.mark.parametrize(("name", "kind"), CASES)


def fitted(name, task, y, *, context=None, rows=slice(0, 300)):
    algorithm = algorithms.get(name).from_values(QUICK.get(name, {}))
    y = y[:, None] if y.ndim == 1 else y
    validation = Examples(X=X[300:350], y=y[300:350])
    return algorithm.fit(
        task, Examples(X=X[rows], y=y[rows]), validation, context or FitContext(seed=5)
    )


@cache
def once(name, kind):
    """A model that several tests look at and none changes."""
    return fitted(name, TASKS[kind], Y[kind])


@EACH
@pytest.mark.req("S0-08", "S1-11", "S2-27")
def test_it_learns(name, kind):
    found = once(name, kind).predict(X[350:])
    assert found.values.shape == (50, 1)
    assert found.values.dtype == np.float64
    truth = Y[kind][350:]
    if kind == "regression":
        assert r2_score(truth, found.values[:, 0]) > 0.7
        assert found.probabilities is None
    else:
        p = found.probabilities[0]
        np.testing.assert_allclose(p.sum(axis=1), 1.0, atol=1e-6)
        np.testing.assert_array_equal(found.values[:, 0], p.argmax(axis=1))
        score = p[:, 1] if kind == "binary" else p
        assert roc_auc_score(truth, score, multi_class="ovr") > 0.85


def stored(model, folder):
    folder.mkdir()
    model.save(folder)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@EACH
def test_the_same_seed_gives_the_same_files(name, kind, tmp_path):
    """Byte for byte: no time, no address, no random name is stored."""
    first, second = (
        stored(model, tmp_path / word)
        for word, model in [("a", once(name, kind)), ("b", fitted(name, TASKS[kind], Y[kind]))]
    )
    assert first.keys() == second.keys()
    assert [path for path in first if first[path] != second[path]] == []


@EACH
def test_what_is_stored_predicts_the_same(name, kind, tmp_path):
    model = once(name, kind)
    model.save(tmp_path)
    assert not list(tmp_path.rglob("*.pkl"))
    loaded = algorithms.get(name).load(tmp_path, TASKS[kind])
    before, after = model.predict(X[350:]), loaded.predict(X[350:])
    np.testing.assert_allclose(after.values, before.values, rtol=1e-12)
    assert (before.std is None) == (after.std is None)
    if before.std is not None:
        assert before.std.shape == before.values.shape
        assert (before.std >= 0).all()
        np.testing.assert_allclose(after.std, before.std, rtol=1e-12)
    for a, b in zip(before.probabilities or [], after.probabilities or [], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


@EACH
def test_many_targets_with_missing_labels(name, kind):
    y = np.column_stack([Y[kind], Y[kind], Y[kind]])
    y[: N // 2, 1] = np.nan
    y[::3, 2] = np.nan
    task = LearningTask(
        type=kind,
        targets=("a", "b", "c"),
        classes=TASKS[kind].classes * 3 if kind != "regression" else (),
    )
    found = fitted(name, task, y).predict(X[350:])
    assert found.values.shape == (50, 3)
    assert np.isfinite(found.values).all()
    for column in range(3):
        agreement = np.corrcoef(found.values[:, column], Y[kind][350:])[0, 1]
        assert agreement > 0.4, f"target {column}"


@EACH
def test_missing_infinite_and_absurd_features_are_survived(name, kind):
    broken = X.copy()
    broken[::7, 3] = np.nan
    broken[::11, 4] = np.inf
    broken[::13, 5] = 1e30
    algorithm = algorithms.get(name).from_values(QUICK.get(name, {}))
    if not getattr(algorithm, "scaled", False):
        broken[~np.isfinite(broken)] = np.nan  # featurizers give NaN, never infinity
    y = Y[kind][:, None]
    model = algorithm.fit(
        TASKS[kind],
        Examples(X=broken[:300], y=y[:300]),
        Examples(X=broken[300:350], y=y[300:350]),
        FitContext(seed=0),
    )
    assert np.isfinite(model.predict(broken[350:]).values).all()


@pytest.mark.parametrize("name", [n for n, k in CASES if k == "binary"])
def test_one_class_cannot_be_learned(name):
    with pytest.raises(InvalidInput, match="one class"):
        fitted(name, BINARY, np.zeros(N))


@pytest.mark.parametrize("name", algorithms.names())
def test_a_cancelled_job_stops_the_fit(name):
    kind = next(k for n, k in CASES if n == name)
    work = SilentContext()
    work.cancel = JobCancelled("stop")
    with pytest.raises(JobCancelled):
        fitted(name, TASKS[kind], Y[kind], context=FitContext(work=work))


@EACH
def test_every_suggestion_is_a_valid_parameter_set(name, kind):
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(10):
        values = algorithms.get(name).suggest(study.ask(), TASKS[kind])
        algorithms.get(name).parse_params(values)


SPACES = {
    "random_forest": {
        "n_estimators": (50, 500),
        "max_depth": (3, 20),
        "min_samples_split": (2, 20),
        "min_samples_leaf": (1, 10),
        "max_features": {"sqrt", "log2", None},
    },
    "gradient_boosting": {
        "n_estimators": (50, 500),
        "learning_rate": (0.001, 0.3),
        "max_depth": (3, 10),
        "subsample": (0.5, 1.0),
    },
    "logistic_regression": {"C": (0.001, 100.0), "max_iter": (100, 1000)},
}


@pytest.mark.req("S4-09", "S4-10", "S4-11", "goal-40")
@pytest.mark.parametrize("name", SPACES)
def test_the_seed_space_is_the_documented_one(name):
    """Every bound is that of S4, and 200 draws come near both ends of each."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    drawn = [algorithms.get(name).suggest_seed(study.ask(), BINARY) for _ in range(200)]
    for parameter, space in SPACES[name].items():
        values = [values[parameter] for values in drawn if parameter in values]
        if isinstance(space, set):
            assert set(values) == space, parameter
            continue
        low, high = space
        assert low <= min(values) < low + 0.15 * (high - low), parameter
        assert high - 0.15 * (high - low) < max(values) <= high, parameter
    if name != "logistic_regression":
        assert {parameter for values in drawn for parameter in values} == set(SPACES[name])


@pytest.mark.req("F-15", "S4-11", "goal-40")
@pytest.mark.filterwarnings("error::FutureWarning")
@pytest.mark.parametrize("task", [BINARY, MULTI], ids=["binary", "multiclass"])
def test_no_draw_of_the_seeds_logistic_regression_is_invalid(task):
    """All pairs of penalty and solver that there are get fitted; none is refused, none uses what
    scikit-learn has deprecated."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    pairs = set()
    for _ in range(60):
        values = algorithms.get("logistic_regression").suggest_seed(study.ask(), task)
        pairs.add((values["penalty"], values["solver"]))
        algorithm = algorithms.get("logistic_regression").from_values(values | {"max_iter": 100})
        algorithm.estimator(task.type, FitContext()).fit(X[:60, :4], Y[task.type][:60])
    wanted = {(p, s) for p in ("l2", "none") for s in ("lbfgs", "saga")}
    wanted |= {("l1", "saga"), ("elasticnet", "saga")}
    if task is BINARY:
        wanted |= {("l1", "liblinear"), ("l2", "liblinear")}
    assert pairs == wanted


@pytest.mark.req("F-15")
@pytest.mark.parametrize(
    ("word", "expected"),
    [("l1", (0.01, 1.0)), ("l2", (0.01, 0.0)), ("elasticnet", (0.01, 0.5)), (None, (1e12, 0.0))],
)
def test_the_older_words_for_a_penalty_are_translated(word, expected):
    params = algorithms.get("LogisticRegression").parse_params({"penalty": word})
    assert (params.C, params.l1_ratio) == expected
    assert "penalty" not in params.model_dump()


def test_no_penalty_is_scikit_learns_no_penalty():
    algorithm = algorithms.get("logistic_regression").from_values({"penalty": None})
    assert np.isinf(algorithm.estimator("binary", FitContext()).C)


@pytest.mark.req("F-15")
@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"penalty": "l1", "solver": "lbfgs"}, "liblinear or saga"),
        ({"penalty": "elasticnet", "solver": "liblinear"}, "saga only"),
        ({"penalty": None, "solver": "liblinear"}, "always penalizes"),
        ({"penalty": "l3"}, "l1, elasticnet, none"),
    ],
)
def test_a_pair_that_no_solver_does_is_refused_before_the_fit(values, why):
    with pytest.raises(InvalidInput) as refused:
        algorithms.get("logistic_regression").from_values(values)
    assert why in refused.value.errors[0]["detail"]


@pytest.mark.req("S4-06")
def test_scikit_learns_names_mean_the_same_algorithm():
    names = {
        "random_forest": ("RandomForestClassifier", "RandomForestRegressor"),
        "logistic_regression": ("LogisticRegression",),
        "gradient_boosting": ("GradientBoostingClassifier", "GradientBoostingRegressor"),
        "svm": ("SVC", "SVR"),
        "linear_regression": ("LinearRegression",),
        "xgboost": ("XGBClassifier", "XGBRegressor", "XGBoost"),
        "extra_trees": ("ExtraTreesClassifier", "ExtraTreesRegressor"),
        "lasso": ("Lasso",),
        "elastic_net": ("ElasticNet",),
        "kernel_ridge": ("KernelRidge",),
        "k_neighbors": ("KNeighborsClassifier", "KNeighborsRegressor"),
        "gaussian_process": ("GaussianProcessRegressor",),
        "naive_bayes": ("BernoulliNB", "GaussianNB"),
        "ada_boost": ("AdaBoostClassifier", "AdaBoostRegressor"),
        "mlp": ("MLPClassifier", "MLPRegressor"),
        "catboost": ("CatBoostClassifier", "CatBoostRegressor", "CatBoost"),
        "consensus": ("VotingRegressor", "VotingClassifier"),
    }
    for name, aliases in names.items():
        assert {algorithms.get(alias).name for alias in aliases} == {name}


def test_gradient_boosting_is_scikit_learns():
    from sklearn.ensemble import GradientBoostingRegressor

    model = fitted("gradient_boosting", REGRESSION, Y["regression"])
    expected = GradientBoostingRegressor(random_state=5).fit(X[:300], Y["regression"][:300])
    found = model.predict(X[350:]).values[:, 0]
    np.testing.assert_allclose(found, expected.predict(X[350:]), atol=0.05)


def test_xgboost_is_xgboosts():
    from xgboost import XGBClassifier

    values = {"n_estimators": 50, "learning_rate": 0.3, "max_depth": 4, "subsample": 0.7}
    algorithm = algorithms.get("xgboost").from_values(values)
    settings = algorithm.params.model_dump(exclude={"class_weight"})
    train = Examples(X=X[:300], y=Y["binary"][:300, None])
    model = algorithm.fit(BINARY, train, None, FitContext(seed=5))
    expected = XGBClassifier(**settings, random_state=5, n_jobs=1).fit(X[:300], train.y[:, 0])
    found = model.predict(X[350:]).probabilities[0]
    np.testing.assert_allclose(found, expected.predict_proba(X[350:]), atol=1e-6)


def test_catboost_is_catboosts():
    from catboost import CatBoostRegressor

    values = {"iterations": 50, "depth": 4, "rsm": 0.5}
    algorithm = algorithms.get("catboost").from_values(values)
    train = Examples(X=X[:300], y=Y["regression"][:300, None])
    model = algorithm.fit(REGRESSION, train, None, FitContext(seed=5))
    expected = CatBoostRegressor(
        **algorithm.params.model_dump(exclude={"class_weight", "early_stopping_rounds"}),
        bootstrap_type="Bernoulli",
        random_seed=5,
        verbose=False,
        allow_writing_files=False,
    ).fit(X[:300], train.y[:, 0])
    found = model.predict(X[350:]).values[:, 0]
    np.testing.assert_allclose(found, expected.predict(X[350:]), rtol=1e-12)


def test_catboost_without_a_column_that_varies_says_so():
    flat = Examples(X=np.full((10, 3), np.nan, np.float32), y=np.arange(10.0)[:, None])
    with pytest.raises(InvalidInput, match="no feature column differs"):
        algorithms.get("catboost").from_values({}).fit(REGRESSION, flat, None, FitContext())


def test_linear_regression_is_least_squares():
    model = fitted("linear_regression", REGRESSION, Y["regression"])
    A = np.column_stack([X[:300, :-1], np.ones(300)])
    coefficients = np.linalg.lstsq(A, Y["regression"][:300], rcond=None)[0]
    expected = X[350:, :-1] @ coefficients[:-1] + coefficients[-1]
    np.testing.assert_allclose(model.predict(X[350:]).values[:, 0], expected, atol=1e-4)


def test_what_is_not_installed_says_so(monkeypatch):
    from app.algorithms import xgboost as module

    assert algorithms.get("xgboost").unavailable() is None
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    assert "xgboost-cpu" in algorithms.get("xgboost").unavailable()


@pytest.mark.parametrize("name", algorithms.names())
def test_unknown_parameters_are_refused_by_name(name):
    with pytest.raises(InvalidInput) as refused:
        algorithms.get(name).from_values({"no_such_thing": 1})
    assert refused.value.errors[0]["pointer"] == "/no_such_thing"


def test_ridge_is_scikit_learns_on_scaled_columns():
    model = fitted("ridge", REGRESSION, Y["regression"])
    scaler = StandardScaler().fit(X[:300, :-1])
    expected = SklearnRidge(alpha=1.0).fit(scaler.transform(X[:300, :-1]), Y["regression"][:300])
    found = model.predict(X[350:]).values[:, 0]
    np.testing.assert_allclose(found, expected.predict(scaler.transform(X[350:, :-1])), atol=1e-4)


def test_the_forests_std_is_the_spread_of_its_trees():
    model = fitted("random_forest", REGRESSION, Y["regression"])
    trees = model._fitted[0].estimator.estimators_
    expected = np.std([tree.predict(X[350:]) for tree in trees], axis=0)
    np.testing.assert_allclose(model.predict(X[350:]).std[:, 0], expected, rtol=1e-6)


def test_a_target_of_one_class_beside_others_is_predicted_as_that_class():
    y = np.column_stack([Y["binary"], np.ones(N)])
    task = LearningTask(type="binary", targets=("a", "b"), classes=(("0", "1"),) * 2)
    assert (fitted("lightgbm", task, y).predict(X[350:]).probabilities[1][:, 1] == 1.0).all()
