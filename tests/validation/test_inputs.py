"""How X enters every estimator: converted to what it means, or refused with a reason."""

import datetime
import warnings
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import (
    bsr_array,
    coo_array,
    csc_array,
    csr_array,
    csr_matrix,
    lil_array,
    random_array,
)
from sklearn.base import clone, is_regressor

from skdeep import (
    ConvNetClassifier,
    ConvNetRegressor,
    LinearSVM,
    LinearSVMRegressor,
    MLPClassifier,
    MLPRegressor,
    SequentialClassifier,
    SequentialRegressor,
)
from skdeep.inspection import MarginDisplay, learning_rate_range_test
from skdeep.layers import Dense, Dropout
from skdeep.preprocessing import (
    LogScaler,
    MaxAbsScaler,
    MeanScaler,
    MinMaxScaler,
    QuantileScaler,
    RobustScaler,
    StandardScaler,
    UnitNormScaler,
)
from skdeep.validation.inputs import convert_input, sum_duplicates

NETWORKS = [
    MLPClassifier((4,), max_iter=2, random_state=0),
    MLPClassifier((4,), max_iter=2, random_state=0, input_dropout=0.3, batch_size=3),
    MLPRegressor((4,), max_iter=2, random_state=0, batch_size="full"),
    SequentialClassifier([Dropout(0.3), Dense(4)], max_iter=2, random_state=0),
    SequentialRegressor([Dense(4)], max_iter=2, random_state=0),
]
SVMS = [
    LinearSVM(optimizer="coordinate_descent"),
    LinearSVM(loss="squared_hinge"),
    LinearSVM(optimizer="sgd", max_iter=2, random_state=0, dropout=0.3),
    LinearSVMRegressor(optimizer="coordinate_descent"),
    LinearSVMRegressor(),
]
DENSE_ONLY = [
    ConvNetClassifier((2,), hidden_layer_sizes=(), max_iter=2, random_state=0),
    ConvNetRegressor((2,), hidden_layer_sizes=(), max_iter=2, random_state=0),
]
MODELS = NETWORKS + SVMS
SPARSE_SCALERS = [
    MaxAbsScaler(),
    UnitNormScaler(),
    UnitNormScaler("l1"),
    UnitNormScaler("max"),
    LogScaler(),
    StandardScaler(with_mean=False),
    RobustScaler(with_centering=False),
    QuantileScaler(n_quantiles=5),
]
SCALERS = [
    *(MaxAbsScaler(), UnitNormScaler(), LogScaler(), StandardScaler(), MeanScaler()),
    *(MinMaxScaler(), RobustScaler(), QuantileScaler(n_quantiles=5)),
]

rng = np.random.default_rng(0)
# in 64ths, whose parts add up without rounding
DENSE = np.where(rng.random((12, 5)) < 0.6, rng.integers(1, 64, (12, 5)) / 64, 0.0)
Y = np.arange(12) % 2


def of(estimators):
    return pytest.mark.parametrize("estimator", estimators, ids=_name)


def _name(estimator):
    changed = ", ".join(f"{k}={v}" for k, v in _changed(estimator).items())
    return f"{type(estimator).__name__}({changed})"


def _changed(estimator):
    names = ("optimizer", "loss", "norm", "input_dropout", "batch_size", "multi_class")
    default = type(estimator)().get_params(deep=False)
    mine = estimator.get_params(deep=False)
    return {n: mine[n] for n in names if n in mine and mine[n] != default[n]}


def result(estimator, X):
    """What an estimator gives for X: predictions, or scaled features."""
    if hasattr(estimator, "transform"):
        scaled = estimator.transform(X)
        return scaled if isinstance(scaled, np.ndarray) else scaled.toarray()
    decides = hasattr(estimator, "decision_function")
    return estimator.decision_function(X) if decides else estimator.predict(X)


def fitted(estimator, X, y=Y, **arguments):
    if hasattr(estimator, "transform"):
        return clone(estimator).fit(X, **arguments)
    return clone(estimator).fit(X, y.astype(float) if is_regressor(estimator) else y)


# --- sparse matrices that contradict themselves -----------------------------------------


def damaged(kind, index_type=np.int32):
    """A CSR matrix like DENSE whose arrays do not fit together."""
    X = csr_array(DENSE)
    X.indices, X.indptr = X.indices.astype(index_type), X.indptr.astype(index_type)
    match kind:
        case "a column too far":
            X.indices[3] = 5
        case "a column far beyond":
            X.indices[3] = 2_000_000_000
        case "a negative column":
            X.indices[3] = -7
        case "indptr that falls":
            X.indptr[4], X.indptr[5] = X.indptr[5] + 1, X.indptr[4]
        case "indptr that starts later":
            X.indptr[0] = 1
        case "a negative indptr":
            X.indptr[0] = -4
        case "indptr beyond the data":
            X.indptr[-1] += 50
        case "too few data":
            X.data = X.data[:-5].copy()
        case "too few indices":
            X.indices = X.indices[:-5].copy()
        case "too few rows":
            X.indptr = X.indptr[:-3].copy()
        case "columns that are floats":
            X.indices = X.indices.astype(float)
    return X


DAMAGES = [
    *("a column too far", "a column far beyond", "a negative column"),
    *("indptr that falls", "indptr that starts later", "a negative indptr"),
    *("indptr beyond the data", "too few data", "too few indices", "too few rows"),
    "columns that are floats",
]


@of(MODELS + SPARSE_SCALERS)
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_sparse_matrix_that_contradicts_itself_reaches_no_kernel(estimator, damage):
    good = csr_array(DENSE)
    model = fitted(estimator, good)
    calls = [lambda X: fitted(estimator, X), lambda X: result(model, X)]
    if hasattr(estimator, "inverse_transform"):
        calls.append(model.inverse_transform)
    if hasattr(estimator, "partial_fit"):
        calls.append(lambda X: clone(model).partial_fit(X, Y, **first_classes(model)))
    for call in calls:
        with pytest.raises(ValueError, match="sparse matrix that contradicts itself"):
            call(damaged(damage))


def first_classes(model):
    return {"classes": [0, 1]} if hasattr(model, "classes_") else {}


@pytest.mark.parametrize("damage", DAMAGES)
def test_sparse_labels_that_contradict_themselves_are_refused(damage):
    labels = damaged(damage)
    labels.data = np.ones(len(labels.data), dtype=int)
    with pytest.raises(ValueError, match="y is a sparse matrix that contradicts itself"):
        MLPClassifier((4,), max_iter=2).fit(DENSE, labels)


@of([MLPClassifier((4,), max_iter=2), LinearSVM(), MaxAbsScaler()])
@pytest.mark.parametrize("damage", DAMAGES)
def test_other_index_types_and_formats_are_checked_too(estimator, damage):
    wrong = damaged(damage, np.int64)
    for X in (wrong, _transposed(damaged(damage))):
        good = csr_array(DENSE if X.format == "csr" else DENSE.T)
        model = fitted(estimator, good, Y[: good.shape[0]])
        with pytest.raises(ValueError, match="contradicts itself"):
            result(model, X)
        with pytest.raises(ValueError, match="contradicts itself"):
            fitted(estimator, X)


def _transposed(X):
    """A CSC matrix with the same arrays, and as many rows as X has columns."""
    Z = csc_array(DENSE.T)
    Z.data, Z.indices, Z.indptr = X.data, X.indices, X.indptr
    return Z


@of([LinearSVM(), LinearSVMRegressor(), MaxAbsScaler(), MaxAbsScaler(copy=False)])
@pytest.mark.parametrize("place", [-1, 50, 2_000_000_000])
def test_a_column_out_of_range_is_found_anywhere_in_many_rows(estimator, place):
    X = random_array((4_000, 50), density=0.5, format="csr", rng=0)
    model = fitted(estimator, X[:12])
    for entry in (0, X.nnz // 2, X.nnz - 1):
        wrong = X.copy()
        wrong.indices[entry] = place
        values = wrong.data.copy()
        with pytest.raises(ValueError, match="contradicts itself: `indices` go from"):
            result(model, wrong)
        np.testing.assert_array_equal(wrong.data, values)


@of([MLPClassifier((4,), max_iter=2), LinearSVM(), MaxAbsScaler()])
@pytest.mark.parametrize("place", [-1, 12, 2_000_000_000])
def test_coordinates_out_of_range_are_refused(estimator, place):
    model = fitted(estimator, csr_array(DENSE))
    X = coo_array(DENSE)
    X.row[2] = place
    with pytest.raises(ValueError, match=r"`row` go from .* but must be from 0 to 11"):
        result(model, X)
    X = bsr_array(DENSE, blocksize=(2, 5))
    X.indices[0] = place
    with pytest.raises(ValueError, match="contradicts itself"):
        result(model, X)


@of(
    [
        MLPClassifier((4,), max_iter=2, random_state=0, input_dropout=0.1),
        LinearSVM(),
        MaxAbsScaler(),
    ]
)
def test_indices_of_two_types_and_data_with_a_rest_are_put_right(estimator):
    X = csr_array(DENSE)
    model = fitted(estimator, X)
    expected = result(model, X)
    mixed, longer, strided = csr_array(DENSE), csr_array(DENSE), csr_array(DENSE)
    mixed.indptr = mixed.indptr.astype(np.int64)
    longer.data = np.append(longer.data, 1e9)
    longer.indices = np.append(longer.indices, 1_000_000).astype(np.int32)
    strided.indices = np.repeat(strided.indices, 2)[::2]
    strided.data = np.repeat(strided.data, 2)[::2]
    short = csr_array(DENSE)
    short.indices, short.indptr = short.indices.astype("i2"), short.indptr.astype("u4")
    for Z in (mixed, longer, strided, short):
        np.testing.assert_allclose(result(model, Z), expected, atol=1e-12)
        np.testing.assert_allclose(
            result(fitted(estimator, Z), X), result(fitted(estimator, X), X), atol=1e-12
        )


@of([MLPClassifier((4,), max_iter=2), LinearSVM(), MaxAbsScaler()])
@pytest.mark.parametrize("kind", [csr_matrix, csc_array, coo_array, bsr_array, lil_array])
def test_every_sparse_format_is_taken(estimator, kind):
    model = fitted(estimator, csr_array(DENSE))
    expected = result(model, csr_array(DENSE))
    np.testing.assert_allclose(result(model, kind(DENSE)), expected, atol=1e-12)


def test_a_sparse_array_of_one_axis_is_refused():
    model = fitted(MLPClassifier((4,), max_iter=2), csr_array(DENSE))
    with pytest.raises(ValueError, match="Expected 2D input"):
        model.predict(coo_array(DENSE[0]))


# --- repeated entries -------------------------------------------------------------------


def with_repeats(kind=csr_array):
    """DENSE, with every entry stored as two parts that add up to it."""
    X = csr_array(DENSE)
    part = np.floor(np.linspace(0.1, 0.9, X.nnz) * X.data * 64) / 64
    data = np.column_stack([part, X.data - part]).ravel()
    parts = data, np.repeat(X.indices, 2), 2 * X.indptr
    X = csr_array(parts, shape=X.shape)
    if kind is csc_array:
        X = X.tocsc()
        assert not X.has_canonical_format
    return X


@of(MODELS + SPARSE_SCALERS)
@pytest.mark.parametrize("kind", [csr_array, csc_array])
def test_entries_at_one_place_are_added_up(estimator, kind):
    plain = csr_array(DENSE)
    X = with_repeats(kind)
    before = [a.copy() for a in (X.data, X.indices, X.indptr)]
    model = fitted(estimator, plain)
    twin = fitted(estimator, X)
    for kept, now in zip(before, (X.data, X.indices, X.indptr), strict=True):
        np.testing.assert_array_equal(kept, now)
    for Z in (X, plain):
        np.testing.assert_allclose(result(twin, Z), result(model, plain), atol=1e-9)
    np.testing.assert_allclose(result(model, X), result(model, plain), atol=1e-9)


@of([e for e in MODELS + SPARSE_SCALERS if hasattr(e, "partial_fit")])
def test_a_stream_adds_entries_up_too(estimator):
    models = []
    for X in (csr_array(DENSE), with_repeats()):
        model = clone(estimator)
        classes = {"classes": [0, 1]} if hasattr(model, "predict_proba") else {}
        if isinstance(model, LinearSVM):
            classes = {"classes": [0, 1]}
        models.append(model.partial_fit(X, Y, **classes).partial_fit(X, Y))
    expected, found = (result(model, csr_array(DENSE)) for model in models)
    np.testing.assert_allclose(found, expected, atol=1e-9)


@of(NETWORKS)
def test_validation_data_add_entries_up(estimator):
    y = Y.astype(float) if is_regressor(estimator) else Y
    models = [
        clone(estimator).fit(DENSE, y, X_val=X, y_val=y)
        for X in (csr_array(DENSE), with_repeats())
    ]
    curves = [model.validation_loss_curve_ for model in models]
    np.testing.assert_allclose(curves[0], curves[1], rtol=1e-9)


def test_a_matrix_without_repeats_is_not_copied():
    X = csr_array(DENSE)
    assert sum_duplicates(convert_input(X)) is X
    assert convert_input(DENSE) is DENSE


def test_a_margin_display_and_a_range_test_add_entries_up():
    pytest.importorskip("matplotlib")
    model = LinearSVM().fit(csr_array(DENSE), Y)
    shown = [
        MarginDisplay.from_estimator(model, X, Y, features=(0, 1))
        for X in (csr_array(DENSE), with_repeats())
    ]
    np.testing.assert_allclose(shown[0].points, shown[1].points)
    np.testing.assert_array_equal(shown[0].support, shown[1].support)
    model = MLPClassifier((4,), random_state=0, input_dropout=0.3)
    losses = [
        learning_rate_range_test(model, X, Y, n_rates=5, max_learning_rate=1e-3).losses
        for X in (csr_array(DENSE), with_repeats())
    ]
    np.testing.assert_allclose(losses[0], losses[1])
    with pytest.raises(ValueError, match="contradicts itself"):
        learning_rate_range_test(model, damaged("a negative column"), Y)
    with pytest.raises(ValueError, match="contradicts itself"):
        MarginDisplay.from_estimator(LinearSVM().fit(DENSE, Y), damaged(DAMAGES[0]), Y)


# --- missing values, masks, objects ----------------------------------------------------


@of(MODELS + DENSE_ONLY + [UnitNormScaler()])
@pytest.mark.parametrize("as_array", [list, lambda x: np.array(x, dtype=object)])
def test_none_is_nan_and_refused_where_nan_is(estimator, as_array):
    X = DENSE.tolist()
    model = fitted(estimator, X)
    X[3][2] = None
    for call in (lambda X: fitted(estimator, X), lambda X: result(model, X)):
        with pytest.raises(ValueError, match="contains NaN"):
            call(as_array(X))


@of([s for s in SCALERS if not isinstance(s, UnitNormScaler)])
@pytest.mark.parametrize("as_array", [list, lambda x: np.array(x, dtype=object)])
def test_none_is_nan_for_scalers(estimator, as_array):
    X = DENSE.tolist()
    X[3][2] = None
    known = np.array(X, dtype=float)
    expected = result(fitted(estimator, known), known)
    assert np.isnan(expected[3, 2])
    np.testing.assert_array_equal(
        result(fitted(estimator, as_array(X)), as_array(X)), expected
    )


@of(MODELS + DENSE_ONLY + SCALERS)
def test_decimals_large_integers_and_long_doubles_become_float64(estimator):
    decimals = [[Decimal(str(v)) for v in row] for row in DENSE]
    long_doubles = DENSE.astype(np.longdouble)
    expected = result(fitted(estimator, DENSE), DENSE)
    for X in (decimals, np.array(decimals), long_doubles):
        found = result(fitted(estimator, X), X)
        assert found.dtype == expected.dtype == np.float64
        np.testing.assert_array_equal(found, expected)
    large = [[int(2**66 * v) for v in row] for row in DENSE]
    model = fitted(estimator, DENSE)
    np.testing.assert_array_equal(
        result(model, large), result(model, np.array(large, dtype=float))
    )


@of(MODELS + DENSE_ONLY + SCALERS)
def test_what_is_too_large_for_float64_is_refused(estimator):
    model = fitted(estimator, DENSE)
    huge = DENSE.astype(np.longdouble)
    huge[1, 1] = np.longdouble("1e4000")
    integers = DENSE.tolist()
    integers[1][1] = 10**400
    for call in (lambda X: fitted(estimator, X), lambda X: result(model, X)):
        with pytest.raises(ValueError, match="infinity"):
            call(huge)
        with pytest.raises(ValueError, match="an integer that is too large for float64"):
            call(integers)


@of([UnitNormScaler(), LogScaler(), LogScaler(unit=1.0)])
@pytest.mark.parametrize(
    "bad", [np.inf, -np.inf, np.longdouble("inf"), Decimal("Infinity")]
)
def test_no_infinity_gets_into_a_scaler_by_another_type(estimator, bad):
    X = DENSE.astype(object)
    X[2, 2] = bad
    for array in (X, X.tolist(), X.astype(np.longdouble), X.astype(float)):
        with pytest.raises(ValueError, match="infinity"):
            clone(estimator).fit(array)
        with pytest.raises(ValueError, match="infinity"):
            clone(estimator).fit(DENSE).transform(array)


def masked():
    mask = np.zeros(DENSE.shape, dtype=bool)
    mask[3, 2] = mask[5, 0] = True
    return np.ma.array(np.where(mask, 1e20, DENSE), mask=mask)


@of(MODELS + DENSE_ONLY + [UnitNormScaler()])
def test_masked_entries_are_refused_where_nan_is(estimator):
    model = fitted(estimator, DENSE)
    for call in (lambda X: fitted(estimator, X), lambda X: result(model, X)):
        for X in (masked(), list(masked())):
            with pytest.raises(ValueError, match="2 masked entries"):
                call(X)
    unmasked = np.ma.array(DENSE)
    np.testing.assert_array_equal(result(model, unmasked), result(model, DENSE))


@of([s for s in SCALERS if not isinstance(s, UnitNormScaler)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16])
def test_masked_entries_are_nan_for_scalers(estimator, dtype):
    X = np.ma.array((100 * DENSE).astype(dtype), mask=masked().mask)
    known = X.astype(dtype if dtype != np.int16 else float).filled(np.nan)
    scaled = fitted(estimator, X).transform(X)
    np.testing.assert_array_equal(scaled, fitted(estimator, known).transform(known))
    assert np.isnan(scaled[3, 2])


@of(MODELS + DENSE_ONLY + SCALERS)
def test_masked_weights_are_refused(estimator):
    weight = np.ma.array(np.ones(12), mask=np.arange(12) == 3)
    y = Y.astype(float) if is_regressor(estimator) else Y
    with pytest.raises(ValueError, match="sample_weight is a masked array with 1 masked"):
        clone(estimator).fit(DENSE, y, sample_weight=weight)


def test_masked_validation_weights_are_refused():
    weight = np.ma.array(np.ones(12), mask=np.arange(12) == 3)
    with pytest.raises(ValueError, match="sample_weight_val is a masked array"):
        MLPClassifier().fit(DENSE, Y, X_val=DENSE, y_val=Y, sample_weight_val=weight)


@of(MODELS + DENSE_ONLY + SCALERS)
def test_a_polars_column_without_values_is_nan(estimator):
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({str(j): column for j, column in enumerate(DENSE.T)})
    empty = frame.with_columns(polars.lit(None).alias("2"))
    assert empty.schema["2"] == polars.Null
    if hasattr(estimator, "transform") and not isinstance(estimator, UnitNormScaler):
        assert np.isnan(result(fitted(estimator, empty), empty)[:, 2]).all()
    else:
        with pytest.raises(ValueError, match="contains NaN"):
            fitted(estimator, empty)
    dates = frame.with_columns(polars.lit(datetime.date(2020, 1, 1)).alias("2"))
    with pytest.raises(ValueError, match="dates or times"):
        fitted(estimator, dates)


# --- dates ------------------------------------------------------------------------------


def dates():
    """X with dates, as users have them."""
    days = np.datetime64("2020-01-01") + np.arange(12)
    column = pd.Series(days)
    yield days[:, np.newaxis]
    yield (days - days[0])[:, np.newaxis]
    yield days[:, np.newaxis].tolist()
    yield [[day] for day in days]
    yield [[1.0, day] for day in days]
    yield np.array([[day] for day in days] + [[0.5]], dtype=object)[:12]
    yield pd.DataFrame({"day": column})
    yield pd.DataFrame({"day": column.dt.tz_localize("UTC")})
    yield pd.DataFrame({"day": column - column[0]})
    yield pd.DataFrame({"number": np.arange(12.0), "day": column})


@of([*NETWORKS[:1], *NETWORKS[-1:], SVMS[0], SVMS[-1], *DENSE_ONLY, *SCALERS])
@pytest.mark.parametrize("number", range(len(list(dates()))))
def test_dates_are_refused(estimator, number):
    X = list(dates())[number]
    with pytest.raises(ValueError, match=r"X has dates or times \(.*since 1970"):
        fitted(estimator, X)
    width = np.shape(X)[1]
    model = fitted(estimator, DENSE[:, :width])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that were not there in fit
        with pytest.raises(ValueError, match="dates or times"):
            result(model, X)
    with pytest.raises(ValueError, match="sample_weight has dates or times"):
        clone(estimator).fit(DENSE, Y, sample_weight=list(dates())[1].ravel())


# --- images -----------------------------------------------------------------------------


def images(*shape, n=20):
    X = np.random.default_rng(0).integers(0, 256, (n, *shape), dtype=np.uint8)
    return X, np.arange(n) % 2


IMAGE_MODELS = [
    *DENSE_ONLY,
    SequentialClassifier([Dense(3)], max_iter=2, random_state=0, warm_start=True),
    SequentialRegressor([Dense(3)], max_iter=2, random_state=0),
]


@of(IMAGE_MODELS)
@pytest.mark.parametrize("bytes_first", [True, False])
def test_images_on_another_scale_than_in_fit_are_refused(estimator, bytes_first):
    X, y = images(6, 5)
    fractions = X / 255
    first, other = (X, fractions) if bytes_first else (fractions, X)
    model = clone(estimator).fit(first, y)
    message = r"fitted on (bytes \(uint8\), from 0 to 255, but|numbers of another scale)"
    calls = [
        lambda: model.predict(other),
        lambda: model.score(other, y),
        lambda: model.partial_fit(other, y),
        lambda: clone(estimator).fit(first, y, X_val=other, y_val=y),
    ]
    if estimator.warm_start:
        calls.append(lambda: model.fit(other, y))
    for call in calls:
        with pytest.raises(ValueError, match=message):
            call()
    standardized = (X - 127.0) / 74
    if bytes_first:
        with pytest.raises(ValueError, match=message):
            model.predict(standardized)
    else:
        model = clone(estimator).fit(standardized, y)
        with pytest.raises(ValueError, match=message):
            model.predict(X)


@of(IMAGE_MODELS)
def test_bytes_and_numbers_from_0_to_255_are_the_same(estimator):
    X, y = images(6, 5)
    model = clone(estimator).fit(X, y)
    expected = result(model, X)
    np.testing.assert_allclose(result(model, X.astype(np.float64)), expected, atol=1e-5)
    np.testing.assert_allclose(result(model, X.astype(int).tolist()), expected, atol=1e-5)
    model = clone(estimator).fit(X.astype(np.float32), y)
    expected = result(model, X.astype(np.float32))
    np.testing.assert_allclose(result(model, X), expected, rtol=1e-5)


@of(DENSE_ONLY)
@pytest.mark.parametrize(
    "shape", [(7, 5, 3), (6, 4, 3), (6, 5, 1), (5, 6, 3), (6, 5), (90,)], ids=str
)
def test_images_of_another_shape_are_told_by_their_shapes(estimator, shape):
    X, y = images(6, 5, 3)
    model = clone(estimator).fit(X, y)
    other = images(*shape)[0]
    message = rf"samples of shape \({', '.join(map(str, shape))},?\), .* \(6, 5, 3\)"
    calls = [
        lambda: model.predict(other),
        lambda: model.partial_fit(other, y),
        lambda: clone(estimator).fit(X, y, X_val=other, y_val=y),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=message):
            call()


def test_rows_and_the_images_they_hold_are_both_taken():
    X, y = images(6, 5, 3)
    model = clone(DENSE_ONLY[0]).set_params(input_shape=(6, 5, 3))
    model.fit(X.reshape(20, -1), y)
    np.testing.assert_array_equal(model.predict(X), model.predict(X.reshape(20, -1)))


@of(IMAGE_MODELS)
@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 28, 28), (3, 5, 6), (3, 40)], ids=str)
def test_channels_first_bring_a_warning(estimator, shape):
    X, y = images(*shape)
    with pytest.warns(UserWarning, match=r"np\.moveaxis\(X, 1, -1\)") as told:
        clone(estimator).fit(X, y)
    assert told[0].filename == __file__  # of the user, not of skdeep
    clone(estimator).set_params(input_shape=shape).fit(X, y)  # said so: no warning
    clone(estimator).fit(np.moveaxis(X, 1, -1), y)


def test_rows_of_images_whose_channels_come_first_bring_a_warning():
    X, y = images(3 * 8 * 8)
    with pytest.warns(UserWarning, match="look as if their channels came first"):
        clone(DENSE_ONLY[0]).set_params(input_shape=(3, 8, 8)).fit(X, y)


@pytest.mark.parametrize(
    "shape", [(8, 8, 3), (3, 3, 3), (1, 9, 1), (3, 8), (3, 6, 4), (1, 12)]
)
def test_other_shapes_bring_no_warning(shape):
    X, y = images(*shape)
    clone(DENSE_ONLY[0]).fit(X, y)
