"""Any parameters on any data: a configuration trains to something sensible, or is refused.

Parameters are drawn from the constraints that the estimators declare, so that a new one is
drawn without a line here. Fits run in a process of their own, so that a fault in compiled
code is found and shrunk like any other. CI gives them a minute with the same draws every
time; ``pytest tests/test_random_configurations.py --random-configurations 600`` searches
for ten, with new ones.
"""

import os
import pickle
import select
import subprocess
import sys
import time
from inspect import Parameter, signature
from numbers import Integral
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval, Options

import skdeep
from skdeep import augmentation, layers, preprocessing
from skdeep.averaging import WeightAveraging
from skdeep.initializers import Initializer
from skdeep.kernels import native
from skdeep.layers import BatchNorm
from skdeep.losses import Loss
from skdeep.optimizers import Optimizer
from skdeep.schedules import Schedule

NETWORKS = [n for n in skdeep.__all__ if n.endswith(("Classifier", "Regressor"))]
NETWORKS.remove("LinearSVMRegressor")
MACHINES = ["LinearSVM", "LinearSVMRegressor"]
SCALERS = [n for n in preprocessing.__all__ if n != "TargetScaler"]
# How much of the time each gets.
SHARES = dict.fromkeys(NETWORKS, 6) | dict.fromkeys(MACHINES, 7) | dict.fromkeys(SCALERS, 1)
# A fit of these sizes that takes longer hangs.
SECONDS = 60

# Drawn of each without the option: the same ones always, so that a faster machine finds
# nothing else. NumPy's kernels are slow, and all but they is the same.
EXAMPLES = 250 if native.ENABLED else 100

INTEGERS = 1, 2, 3, 4, 7
HUGE_INTEGERS = 1000, 2**31, 2**40, 2**61
REALS = 0.0, 1e-12, 1e-3, 0.1, 0.5, 0.9, 1.0, 2.0, 10.0, -0.5
EXTREME_REALS = 1e-300, 1e-30, 1e8, 1e30, 1e300
# Where a huge number is a mistake, not a wish for memory.
OF_WINDOWS = (
    "dilation",
    "strides",
    "kernel_size",
    "pool_size",
    "padding",
    "size",
    "whitening",
)


class Worker:
    """A process that fits configurations."""

    def __init__(self):
        self._process = None

    def fault(self, *arguments):
        """What is wrong with a configuration, the end of the process included."""
        if self._process is None:
            program = Path(__file__).with_name("configuration_worker.py")
            self._process = subprocess.Popen(
                [sys.executable, program],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=os.environ | {"OMP_NUM_THREADS": "2"},
            )
        pickle.dump(arguments, self._process.stdin)
        self._process.stdin.flush()
        answered, _, _ = select.select([self._process.stdout], [], [], SECONDS)
        try:
            if answered:
                return pickle.load(self._process.stdout)
            found = f"takes longer than {SECONDS} s"
        except EOFError:
            found = f"ends the process with status {self._process.wait()}"
        self.close()
        return found

    def close(self):
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


@pytest.fixture(scope="module")
def worker():
    worker = Worker()
    yield worker
    worker.close()


# --- what is drawn ----------------------------------------------------------------


def public_subclasses(cls):
    """All classes of the package below a base, without abstract ones and tests' own."""
    found = []
    for sub in cls.__subclasses__():
        if sub.__module__.startswith("skdeep.") and not sub.__name__.startswith("_"):
            found.append(sub)
        found += public_subclasses(sub)
    abstract = "Kernel", "Sparse", "Formula"
    return [sub for sub in found if not sub.__name__.startswith(abstract)]


def instances(base):
    """Instances of any class below a base, with drawn parameters."""
    return st.one_of([instance(cls) for cls in public_subclasses(base)])


def instance(cls):
    """Instances of a class whose constructor's parameters are drawn."""
    required, optional = {}, {}
    for name, argument in signature(cls).parameters.items():
        kind = required if argument.default is Parameter.empty else optional
        kind[name] = parameter(cls, name)
    return st.fixed_dictionaries(required, optional=optional).map(lambda p: cls(**p))


def parameter(cls, name):
    """Values of a parameter: what its constraints allow, edges included."""
    if name in SPECIAL:
        return st.deferred(lambda: SPECIAL[name])
    if name == "estimator":
        return members(cls)
    return st.one_of([allowed(name, c) for c in cls._parameter_constraints[name]])


def members(ensemble):
    """Networks for an ensemble; what they are besides is drawn of them alone."""
    kind = getattr(skdeep, ensemble.__name__.replace("Ensemble", "MLP"))
    names = "loss", "optimizer", "dropout", "early_stopping", "warm_start", "random_state"
    optional = {name: parameter(kind, name) for name in names}
    drawn = st.fixed_dictionaries(
        {"max_iter": parameter(kind, "max_iter")}, optional=optional
    )
    return drawn.map(lambda parameters: kind(**parameters))


def allowed(name, constraint):
    """Values that one constraint of scikit-learn's parameter validation allows."""
    if isinstance(constraint, Interval):
        usual, extreme = (
            (INTEGERS, HUGE_INTEGERS if name in OF_WINDOWS else ())
            if constraint.type is Integral
            else (REALS, EXTREME_REALS)
        )
        usual, extreme = (
            [v for v in values if constraint.is_satisfied_by(v)]
            for values in (usual, extreme)
        )
        edge = [v for v in (constraint.left,) if constraint.is_satisfied_by(v)]
        values = edge + usual + usual + usual + extreme
        return st.sampled_from(values or [(constraint.left + constraint.right) / 2])
    if isinstance(constraint, Options):
        return st.sampled_from(sorted(constraint.options))
    if constraint in BASES:
        return instances(constraint)
    if constraint is BatchNorm:
        return instance(constraint)
    if constraint in (tuple, list):
        return st.lists(st.sampled_from(INTEGERS), min_size=1, max_size=3).map(constraint)
    plain = {
        "boolean": st.booleans(),
        "array-like": st.lists(st.sampled_from((*INTEGERS, 0.3)), max_size=3),
        "random_state": st.sampled_from([0, 1, 2**32 - 1]),
        "verbose": st.just(0),
        None: st.none(),
        Integral: st.sampled_from([1, 2, -1]),
        dict: st.nothing(),
    }
    return plain[constraint] if constraint in plain else st.nothing()


BASES = Optimizer, Loss, Schedule, Initializer, WeightAveraging

ANY_LAYER = st.deferred(lambda: st.one_of([instance(getattr(layers, n)) for n in LAYERS]))
LAYERS = [n for n in layers.__all__ if n not in ("Layer", "Parameter", "State")]
ANY_AUGMENTATION = st.deferred(lambda: instances(augmentation.Augmentation))
CLASSES = 0, 1, 3, "0", "3", "no", "yes", True, 9
WEIGHTS_OF_CLASSES = st.dictionaries(
    st.sampled_from(CLASSES),
    st.sampled_from([0, 1, 2.5, 1e-3, 1e6, -1, float("nan"), float("inf"), "2"]),
    min_size=1,
    max_size=3,
)
ANY_RATE = st.sampled_from([0.0, 0.2, 0.5, 0.9])

MONITORS = (
    *("loss", "accuracy", "roc_auc", "neg_log_loss", "f1_macro"),
    *("r2", "neg_mean_squared_error", "neg_mean_absolute_percentage_error"),
)

# Parameters whose constraints say less than what makes sense.
SPECIAL = {
    "hidden_layer_sizes": st.lists(st.sampled_from([1, 3, 8]), max_size=3).map(tuple)
    | st.just(5),
    "filters": st.lists(st.sampled_from([1, 2, 4]), max_size=2).map(tuple),
    "max_iter": st.sampled_from([1, 2, 3, 20]),
    "n_epochs": st.sampled_from([1, 2]),
    "n_cv": st.sampled_from(["auto", 0, 2, 3]),
    "time_limit": st.none(),  # results depend on it
    "categorical_features": st.sampled_from(["from_dtype", None, [0]]),
    "max_evaluations": st.sampled_from([1, 2, 20]),
    "dropout": ANY_RATE | st.lists(ANY_RATE, min_size=1, max_size=2),
    "layers": st.lists(ANY_LAYER, max_size=4),
    "augmentation": st.lists(ANY_AUGMENTATION, max_size=2).map(tuple),
    "test_time_augmentation": st.lists(ANY_AUGMENTATION, max_size=2).map(tuple),
    "blocks_per_stage": st.sampled_from([0, 1, 2, (1, 0), (1,)]),
    "block_depth": st.sampled_from([1, 2]),
    "input_shape": st.sampled_from([None, (4, 3, 1), (4, 3), (12, 1), (3, 4, 1)]),
    "class_weight": st.sampled_from([None, "balanced"]) | WEIGHTS_OF_CLASSES,
    "target_shape": st.sampled_from([-1, 12, (4, 3), (3, 4, 1), (5,)]),
    "copy": st.just(True),
    "feature_range": st.sampled_from([(0, 1), (-1, 1), (1, 0), (0.0, 1e-30)]),
    "quantile_range": st.sampled_from([(25, 75), (0, 100), (10, 10), (75, 25)]),
    "feature_axes": st.sampled_from([-1, 1, (1, 2), (-1, -2), 0, 5]),
    "unit": st.sampled_from(["median", 1.0, 1e-300]),
    "monitor": st.sampled_from(MONITORS),
}
TARGETS_OF_CLASSES = (
    ["two classes", "two strings", "booleans", "minus one and one", "classes"] * 2
    + ["floats of classes", "digit strings", "rare class", "one class", "labels"]
    + ["labels of minus one and one", "columns of classes", "distribution", "numbers"]
)
TARGETS_OF_NUMBERS = ["numbers", "columns of numbers", "counts"] * 2 + [
    "large numbers",
    "tiny numbers",
    "constant",
    "columns of classes",
    "two strings",
]


def weighted(usual, *others):
    """Mostly the usual value."""
    return st.sampled_from([usual] * 2 * len(others) + list(others))


@st.composite
def configurations(draw, name):
    """The arguments of the worker's `fault` for an estimator."""
    cls = getattr(skdeep, name, None) or getattr(preprocessing, name)
    known = sorted(cls().get_params(deep=False))
    chosen = draw(st.lists(st.sampled_from(known), unique=True, max_size=6))
    epochs = (
        {"max_iter", "n_epochs", "estimator"}.intersection(known)
        if name not in MACHINES
        else set()
    )
    chosen += sorted(epochs.difference(chosen))
    parameters = {key: draw(parameter(cls, key)) for key in chosen}
    numbers = name.endswith("Regressor")
    n = draw(weighted(30, 2, 3, 7, 64, 201))
    images = name.startswith(("ConvNet", "Sequential")) or name in SCALERS
    shapes = [(n, 12), (n, 1), (n, 4, 3, 1), (n, 4, 3), (n, 6, 2)]
    data = {
        "seed": draw(st.integers(0, 50)),
        "shape": draw(st.sampled_from(shapes if images else shapes[:2])),
        "dtype": draw(weighted("float64", "float32", "uint8" if images else "float32")),
        "layout": draw(weighted("C", "F", "csr")),
        "scale": draw(weighted(1.0, 0.0, 1e-20, 1e6, 1e25, 1e-200, 1e200)),
        "offset": draw(weighted(0.0, 1e6, -1e-3)),
        "target": draw(
            st.sampled_from(TARGETS_OF_NUMBERS if numbers else TARGETS_OF_CLASSES)
        ),
        "weight": draw(weighted(None, "ones", "integers", "zeros", "tiny", "huge")),
        "damage": draw(weighted(None, "nan in X", "inf in X", "nan in y", "nan in weight")),
    }
    again = draw(st.sampled_from(["", "partial_fit", "warm_start"]))
    return name, parameters, data, again


# --- the search -------------------------------------------------------------------


@pytest.mark.parametrize("name", SHARES)
def test_a_configuration_trains_or_is_refused_in_words(name, worker, request):
    asked = request.config.getoption("--random-configurations")
    budget = (asked or 60) * SHARES[name] / sum(SHARES.values())
    end = time.monotonic() + budget

    @settings(
        max_examples=1_000_000 if asked else EXAMPLES,
        deadline=None,
        derandomize=not asked,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(configurations(name))
    def search(configuration):
        if time.monotonic() > end and not found:
            return
        fault = worker.fault(*configuration)
        if fault:
            found.append(fault)
            note(repr(configuration))
        assert not fault, fault

    found = []
    search()


@pytest.mark.parametrize("name", SHARES)
def test_every_parameter_can_be_drawn(name):
    cls = getattr(skdeep, name, None) or getattr(preprocessing, name)
    assert issubclass(cls, BaseEstimator)
    for key in cls().get_params(deep=False):
        assert not parameter(cls, key).is_empty, key
