"""Fits configurations that come as pickles, and tells of each what is wrong with it.

`test_random_configurations.py` runs this file as a process of its own: a fault in compiled
code ends that process, and not the tests. It reads pickles of the arguments
of `fault` from its input and writes pickles of what that returns.
"""

import pickle
import re
import sys
import traceback
import warnings

import numpy as np
from scipy.sparse import csr_array, issparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from threadpoolctl import threadpool_limits

import skdeep
from skdeep import preprocessing

# What an error of ours never says: words of what lies below.
_INTERNAL_WORDS = re.compile(
    r"broadcast|NoneType|cannot reshape|index out of|out of bounds|np\.(int|float|str|bool)"
    r"|test_size|buffer|matmul|dgemm|has no attribute|unexpected keyword|division by zero"
    r"|subscriptable|not supported between|gufunc|setting an array element"
)
# The hinge loss that scikit-learn calls a margin, and losses with a minimum below zero.
_MAY_BE_NEGATIVE = "Poisson", "poisson"


def make_estimator(name, parameters):
    """An estimator of a name, repeatable unless its parameters say otherwise."""
    cls = getattr(skdeep, name, None) or getattr(preprocessing, name)
    fixed = {"random_state": 0} if "random_state" in cls().get_params(deep=False) else {}
    return cls(**(fixed | parameters))


def make_data(seed, shape, dtype, layout, scale, offset, target, weight, damage):
    """Draw X, y and sample weights.

    Parameters
    ----------
    seed : int
        Decides the numbers.

    shape : tuple of int
        The shape of X.

    dtype : str
        Its type.

    layout : {"C", "F", "csr"}
        How it lies in memory.

    scale, offset : float
        Its standard deviation and mean.

    target : str
        The kind of y, one of those below.

    weight : {None, "ones", "integers", "zeros", "tiny", "huge"}
        The kind of weights.

    damage : {None, "nan in X", "inf in X", "nan in y", "nan in weight"}
        What is wrong with them.

    Returns
    -------
    X, y, sample_weight
    """
    rng = np.random.default_rng(seed)
    n = shape[0]
    if dtype == "uint8":
        X = rng.integers(0, 256, shape, dtype=np.uint8)
    else:
        with np.errstate(over="ignore"):
            X = (rng.normal(size=shape) * scale + offset).astype(dtype)
        if damage == "nan in X":
            X.flat[X.size // 2] = np.nan
        if damage == "inf in X":
            X.flat[X.size // 2] = np.inf
    if layout == "F":
        X = np.asfortranarray(X)
    elif layout == "csr" and X.ndim == 2 and dtype != "uint8":
        X = csr_array(X * (rng.random(shape) < 0.4).astype(dtype))
    signal = rng.normal(size=n)
    codes = rng.integers(0, 4, n)
    rare = np.zeros(n, dtype=int)
    rare[:1] = 1
    y = {
        "two classes": lambda: rng.permutation(np.arange(n) % 2),
        "two strings": lambda: np.array(["no", "yes"])[rng.permutation(np.arange(n) % 2)],
        "booleans": lambda: rng.permutation(np.arange(n) % 2 == 0),
        "minus one and one": lambda: 2 * rng.permutation(np.arange(n) % 2) - 1,
        "classes": lambda: codes,
        "floats of classes": lambda: codes.astype(float),
        "digit strings": lambda: codes.astype(str).astype(object),
        "rare class": lambda: rare,
        "one class": lambda: np.zeros(n, dtype=int),
        "labels": lambda: rng.integers(0, 2, (n, 3)),
        "labels of minus one and one": lambda: 2 * rng.integers(0, 2, (n, 3)) - 1,
        "columns of classes": lambda: rng.integers(0, 50, (n, 2)),
        "distribution": lambda: rng.dirichlet(np.ones(3), n),
        "numbers": lambda: signal,
        "large numbers": lambda: 1.6e9 + 100 * signal,
        "tiny numbers": lambda: 1e-20 * signal,
        "counts": lambda: rng.poisson(3, n),
        "constant": lambda: np.full(n, 3.0),
        "columns of numbers": lambda: rng.normal(size=(n, 2)),
    }[target]()
    if damage == "nan in y" and y.dtype.kind == "f":
        y.flat[y.size // 2] = np.nan
    sample_weight = {
        None: lambda: None,
        "ones": lambda: np.ones(n),
        "integers": lambda: rng.integers(0, 4, n).astype(float),
        "zeros": lambda: np.zeros(n),
        "tiny": lambda: rng.random(n) * 1e-50,
        "huge": lambda: rng.random(n) * 1e50,
    }[weight]()
    if damage == "nan in weight" and sample_weight is not None:
        sample_weight[n // 2] = np.nan
    return X, y, sample_weight


def fault(name, parameters, data, again):
    """What is wrong with a configuration: "" where it fits, or is refused in words.

    Parameters
    ----------
    name : str
        The name of a class of `skdeep` or `skdeep.preprocessing`.

    parameters : dict
        Its parameters.

    data : dict
        Arguments of `make_data`.

    again : {"", "partial_fit", "warm_start"}
        What follows `fit`.

    Returns
    -------
    fault : str
    """
    X, y, sample_weight = make_data(**data)
    estimator = make_estimator(name, parameters)
    given = [_copy(a) for a in (X, y, sample_weight)]
    damaged = data["damage"] is not None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        before = vars(estimator).copy()
        try:
            _fit(estimator, X, y, sample_weight)
        except (ValueError, TypeError) as error:
            return _fault_of_error(error) or _fault_of_state(estimator, before)
        found = _fault_of_input(given, (X, y, sample_weight), estimator)
        found = found or _fault_of_fitted(estimator, X, y)
        if not found and not damaged:
            found = _fault_of_repetition(estimator, X, y, sample_weight)
        if not found and again:
            found = _fault_of_going_on(again, estimator, X, y, sample_weight)
    bad = [
        w for w in caught if issubclass(w.category, (RuntimeWarning, DeprecationWarning))
    ]
    bad = [w for w in bad if "skdeep" in w.filename]
    return found or (f"warns of {bad[0].message} in {bad[0].filename}" if bad else "")


def _fit(estimator, X, y, sample_weight):
    if hasattr(estimator, "transform"):
        return estimator.fit(X)
    weights = {} if sample_weight is None else {"sample_weight": sample_weight}
    return estimator.fit(X, y, **weights)


def _copy(array):
    return array.copy() if array is not None else None


def _equal(a, b):
    if a is None or b is None:
        return a is b
    if issparse(a):
        a, b = a.toarray(), b.toarray()
    kind = np.asarray(a).dtype.kind
    return np.array_equal(a, b, equal_nan=kind == "f")


def _fault_of_error(error):
    text = str(error)
    if len(text) < 15 or _INTERNAL_WORDS.search(text):
        return f"is refused with {type(error).__name__}({text!r})\n" + "".join(
            traceback.format_exception(error)
        )
    return ""


def _fault_of_state(estimator, before):
    """A first fit that fails leaves nothing behind."""
    left = vars(estimator).keys() - before.keys()
    left = {name for name in left if not name.startswith("_skl_callback")}
    return f"a fit that failed left {sorted(left)}" if left else ""


def _fault_of_warnings(caught):
    """Warnings of arithmetic are not for a user, who did not write it."""
    for warning in caught:
        if warning.category is RuntimeWarning and "skdeep" in warning.filename:
            return f"warns of {warning.message} in {warning.filename}:{warning.lineno}"
    return ""


def _fault_of_input(given, now, estimator):
    if not getattr(estimator, "copy", True):
        return ""
    pairs = zip(["X", "y", "weight"], given, now, strict=True)
    names = [name for name, before, after in pairs if not _equal(before, after)]
    return f"fit changed {names}" if names else ""


def _outputs(estimator, X):
    methods = "predict", "decision_function", "predict_proba", "predict_log_proba"
    found = {m: getattr(estimator, m)(X) for m in methods if hasattr(estimator, m)}
    if hasattr(estimator, "transform"):
        found["transform"] = estimator.transform(X.copy())
    return found


def _fault_of_fitted(estimator, X, y):
    try:
        outputs = _outputs(estimator, X)
    except NotFittedError as error:
        return f"is not fitted after fit: {error}"
    except (ValueError, TypeError) as error:
        return f"does not predict what it was fitted on: {error!r}"
    for name, values in outputs.items():
        numbers = values.toarray() if issparse(values) else np.asarray(values)
        if len(numbers) != X.shape[0]:
            return f"{name} gives {len(numbers)} rows for {X.shape[0]}"
        allowed = name in ("predict_log_proba", "transform")
        if numbers.dtype.kind == "f" and not allowed and not np.isfinite(numbers).all():
            return f"{name} is not finite"
    return (
        _fault_of_classes(estimator, outputs)
        or _fault_of_probabilities(outputs)
        or _fault_of_costs(estimator)
    )


def _fault_of_classes(estimator, outputs):
    if not hasattr(estimator, "classes_") or outputs["predict"].ndim > 1:
        return ""
    if not np.isin(outputs["predict"], estimator.classes_).all():
        return f"predicts {np.unique(outputs['predict'])}, not of {estimator.classes_}"
    if "decision_function" not in outputs:  # tables
        best = outputs["predict_proba"].argmax(axis=1)
        agrees = np.array_equal(estimator.classes_[best], outputs["predict"])
        return "" if agrees else "predict is not what predict_proba says"
    scores = outputs["decision_function"]
    best = (scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)
    if not np.array_equal(estimator.classes_[best], outputs["predict"]):
        return "predict is not what decision_function says"
    return ""


def _fault_of_probabilities(outputs):
    p = outputs.get("predict_proba")
    if p is None:
        return ""
    if p.min() < 0 or p.max() > 1:
        return f"probabilities from {p.min()} to {p.max()}"
    labels = outputs["predict"].ndim > 1
    if not labels and not np.allclose(p.sum(axis=1), 1, atol=1e-5):
        return "probabilities do not sum to 1"
    log_p, z = outputs["predict_log_proba"], outputs.get("decision_function", p)
    z = np.abs(z)
    usual = z < 1e30 if z.ndim == log_p.ndim else (z < 1e30)[:, None]
    if not np.isfinite(log_p[np.broadcast_to(usual, log_p.shape)]).all():
        return "log-probabilities of usual scores are not finite"
    if log_p.max(initial=0.0) > 0 or not np.allclose(np.exp(log_p), p, atol=1e-5):
        return "log-probabilities are not the logarithms of probabilities"
    return ""


def _fault_of_costs(estimator):
    curve = np.asarray(getattr(estimator, "loss_curve_", []), dtype=float)
    if not np.isfinite(curve).all():
        return f"the losses {curve} are not finite"
    loss = getattr(estimator, "loss", "")
    name = loss if isinstance(loss, str) else type(loss).__name__
    if curve.min(initial=0.0) < -1e-6 and name not in _MAY_BE_NEGATIVE:
        return f"the loss {name} falls to {curve.min()}"
    for name in ("objective_", "duality_gap_"):
        value = getattr(estimator, name, None)
        if value is not None and np.min(value) < -1e-6:
            return f"{name} is {value}"
    return ""


def _fault_of_repetition(estimator, X, y, sample_weight):
    """One random_state, one result: on one thread, after a pickle, and for a clone."""
    outputs = _outputs(estimator, X)
    loaded = pickle.loads(pickle.dumps(estimator))
    twin = clone(estimator)
    with threadpool_limits(1):
        _fit(twin, X, y, sample_weight)
        others = {"a pickle": _outputs(loaded, X), "another fit": _outputs(twin, X)}
    for who, found in others.items():
        for name, values in outputs.items():
            if not _equal(values, found[name]):
                return f"{name} of {who} is another, on one thread"
    return ""


def _fault_of_going_on(how, estimator, X, y, sample_weight):
    weights = {} if sample_weight is None else {"sample_weight": sample_weight}
    weights = {} if hasattr(estimator, "transform") else weights
    try:
        if how == "partial_fit":
            if not hasattr(estimator, "partial_fit"):
                return ""
            target = () if hasattr(estimator, "transform") else (y,)
            estimator.partial_fit(X, *target, **weights)
        elif "warm_start" in estimator.get_params(deep=False):
            estimator.set_params(warm_start=True)
            _fit(estimator, X, y, sample_weight)
    except (ValueError, TypeError) as error:
        found = _fault_of_error(error)
        return f"{how}: {found}" if found else ""
    found = _fault_of_fitted(estimator, X, y)
    return f"after {how}: {found}" if found else ""


def main():
    # what is printed by a fit must not get between the pickles
    replies, sys.stdout = sys.stdout.buffer, sys.stderr
    while True:
        try:
            arguments = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            answer = fault(*arguments)
        except BaseException:
            answer = traceback.format_exc()
        pickle.dump(answer, replies)
        replies.flush()


if __name__ == "__main__":
    main()
