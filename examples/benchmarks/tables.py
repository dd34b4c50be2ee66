"""Tables: error and seconds of skdeep, scikit-learn and pytabkit.

Run it with: python examples/benchmarks/tables.py

Without arguments, on tables that need no download: those that come with scikit-learn, and
two made by its generators, one of them with categories and missing values. With `--folder`,
on each CSV or Parquet file of a folder, whose last column, or the one named by `--target`,
is the target; for everyone, text and booleans become categories, and dates days.

A table is split three times into training rows and a quarter of test rows, or ten times if
it has fewer than 500 rows. Errors are the root of the mean squared error, or the share of
mistakes: (mistakes + 1/2) / rows over the test rows of all splits, so that a model without
a mistake makes no ratio infinite.

One line a table: each model's error over the least of three peers, HistGradientBoosting,
MLP and a linear model. Then, over tables: geometric means with their standard errors,
medians, the worst, mean seconds of a fit; for classes the log loss over the least of the
same three, for numbers the share of test targets inside of intervals for 90 %.

The peers get what they need: scikit-learn's MLP and the linear models medians for missing
numbers, standard scaling and a column for each category; pytabkit's networks, where it is
installed, medians for missing numbers; HistGradientBoosting takes the frame as it is, but
for columns of more than 255 categories, whose rarest become one.
"""

import argparse
import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd
from machine import cores, versions
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_iris,
    load_wine,
    make_classification,
    make_friedman1,
)
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import log_loss, root_mean_squared_error
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skdeep import TabularClassifier, TabularRegressor

try:
    import pytabkit
except ImportError:
    pytabkit = None

OURS, TREES, MLP, LINEAR = "skdeep", "HistGB", "MLP", "linear"
BEST_OF = TREES, MLP, LINEAR
CLASSES, NUMBERS = "classification", "regression"
FEW_ROWS = 500  # such tables are split more often
MOST_CLASSES = 20  # whole numbers of more values are numbers
MOST_BINS = 255  # categories that HistGradientBoosting takes


@dataclass(frozen=True)
class Table:
    """A frame, its targets (numbers of classes, or numbers), and which of the two."""

    name: str
    X: pd.DataFrame
    y: np.ndarray
    task: str


@dataclass(frozen=True)
class Result:
    """Of one fit: what it predicts of the test rows, its intervals or None, seconds."""

    prediction: np.ndarray
    interval: np.ndarray | None
    seconds: float


# --- tables ---------------------------------------------------------------------------


def bundled_tables():
    """Tables that come with scikit-learn or are made by it: their makers by name."""
    return {
        "breast cancer": lambda: _bundled(load_breast_cancer, CLASSES),
        "iris": lambda: _bundled(load_iris, CLASSES),
        "wine": lambda: _bundled(load_wine, CLASSES),
        "digits": lambda: _bundled(load_digits, CLASSES),
        "diabetes": lambda: _bundled(load_diabetes, NUMBERS),
        "made classes": _made_classes,
        "friedman": _friedman,
    }


def _bundled(load, task):
    data = load(as_frame=True)
    return data.data, data.target.to_numpy(), task


def _made_classes():
    X, y = make_classification(
        2000, 15, n_informative=8, n_classes=3, flip_y=0.05, random_state=0
    )
    return pd.DataFrame(X).rename(columns="x{}".format), y, CLASSES


def _friedman():
    """Friedman's function and an effect of categories, with a tenth of all missing."""
    rng = np.random.default_rng(0)
    X, y = make_friedman1(2000, noise=1.0, random_state=0)
    X = pd.DataFrame(X).rename(columns="x{}".format)
    level = rng.integers(0, 12, len(X))
    y = y + rng.normal(scale=3.0, size=12)[level]
    X = X.mask(rng.random(X.shape) < 0.1)
    X["kind"] = pd.Categorical([f"kind {k}" for k in level])
    X.loc[rng.random(len(X)) < 0.1, "kind"] = None
    return X, y, NUMBERS


def read_table(path, target, task):
    """The frame, the targets and the task of a file."""
    frame = pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
    y = frame.pop(target if target is not None else frame.columns[-1])
    known = y.notna().to_numpy()
    X, y = frame[known], y[known]
    task = task or task_of(y)
    if task == CLASSES:
        return with_categories(X), np.unique(y.astype(str), return_inverse=True)[1], task
    return with_categories(X), y.to_numpy(dtype=float), task


def task_of(y):
    """Whether targets are classes: all but numbers of many values or with fractions."""
    if not pd.api.types.is_numeric_dtype(y) or pd.api.types.is_bool_dtype(y):
        return CLASSES
    whole = (y == np.round(y)).all()
    return CLASSES if whole and y.nunique() <= MOST_CLASSES else NUMBERS


def with_categories(X):
    """Numbers, also of dates, and categories; columns without entries are left out."""
    X = X.dropna(axis=1, how="all")
    dates = X.select_dtypes(["datetime", "datetimetz", "timedelta"])
    days = {c: (dates[c] - dates[c].min()) / pd.Timedelta(days=1) for c in dates}
    X = X.assign(**days)
    numbers = X.select_dtypes("number").columns
    others = {
        # `where`: text of a missing entry would be a category
        c: X[c].astype(str).where(X[c].notna()).astype("category")
        for c in X.columns.difference(numbers, sort=False)
    }
    return X.astype(dict.fromkeys(numbers, float)).assign(**others).rename(columns=str)


def tables(arguments):
    """The tables that the arguments ask for, one after the other."""
    if arguments.folder is None:
        makers = bundled_tables()
    else:
        suffixes = ".csv", ".parquet"
        files = sorted(p for p in arguments.folder.iterdir() if p.suffix in suffixes)
        makers = {
            path.stem: lambda p=path: read_table(p, arguments.target, arguments.task)
            for path in files
        }
    for name, make in makers.items():
        if not arguments.only or any(part in name for part in arguments.only):
            yield Table(name, *make())


def splits(table, n_splits):
    """Training and test rows, a few times."""
    n_splits = n_splits or (10 if len(table.y) < FEW_ROWS else 3)
    alike = None
    if table.task == CLASSES and np.bincount(table.y).min() > 1:
        alike = table.y
    for seed in range(n_splits):
        yield train_test_split(
            np.arange(len(table.y)), test_size=0.25, random_state=seed, stratify=alike
        )


# --- models ---------------------------------------------------------------------------


def common_categories(X_train, X_test):
    """Frames whose categories fit into bins: the rarest ones are one."""
    X_train, X_test = X_train.copy(), X_test.copy()
    for column in X_train.select_dtypes("category"):
        counts = X_train[column].value_counts()
        counts = counts[counts > 0]
        if len(counts) <= MOST_BINS:
            continue
        common = counts.index[: MOST_BINS - 1].to_list()
        for X in (X_train, X_test):
            known = X[column].isin(common) | X[column].isna()
            text = X[column].astype(object).where(known, "(rare)")
            X[column] = pd.Categorical(text, categories=[*common, "(rare)"])
    return X_train, X_test


def without_gaps(X_train, X_test):
    """Frames with medians for missing numbers, and a category of what is missing."""
    numbers = X_train.select_dtypes("number").columns
    medians = X_train[numbers].median().fillna(0)

    def filled(X):
        X = X.assign(**X[numbers].fillna(medians))
        for column in X.columns.difference(numbers):
            text = X[column].astype(object)
            X[column] = text.where(text.notna(), "(missing)").astype("category")
        return X

    return filled(X_train), filled(X_test)


def as_they_are(X_train, X_test):
    """Frames for models that take any."""
    return X_train, X_test


def encoded(model):
    """A pipeline that makes numbers of about one of any frame for a model."""
    numbers = make_pipeline(
        SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler()
    )
    categories = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    columns = make_column_transformer(
        (numbers, make_column_selector(dtype_include="number")),
        (categories, make_column_selector(dtype_include="category")),
    )
    return make_pipeline(columns, model)


@dataclass(frozen=True)
class Model:
    """A function of a seed that makes it, and how it wants its frames."""

    make: Callable
    frames: Callable = as_they_are
    # networks of others are trained on standardized numbers; ours do it by themselves
    standardize: bool = False


def models(task, options):
    """What is compared, by name."""
    classifies = task == CLASSES
    ours = TabularClassifier if classifies else TabularRegressor
    trees = HistGradientBoostingClassifier if classifies else HistGradientBoostingRegressor
    mlp = MLPClassifier if classifies else MLPRegressor
    linear = (
        LogisticRegression(max_iter=1000) if classifies else RidgeCV(np.logspace(-3, 3, 13))
    )
    compared = {
        OURS: Model(lambda seed: ours(**options, random_state=seed)),
        TREES: Model(lambda seed: trees(random_state=seed), common_categories),
        MLP: Model(lambda seed: encoded(mlp(random_state=seed)), standardize=True),
        LINEAR: Model(lambda seed: encoded(linear)),
    }
    if pytabkit is not None:
        end = "Classifier" if classifies else "Regressor"
        for name, prefix in (("RealMLP-TD-S", "RealMLP_TD_S_"), ("TabM", "TabM_D_")):
            kind = getattr(pytabkit, prefix + end)
            compared[name] = Model(
                lambda seed, kind=kind: kind(device="cpu", random_state=seed),
                without_gaps,
            )
    return compared


def measure(model, table, train, test):
    """Fit a model to a part of a table and predict the rest."""
    X_train, X_test = model.frames(table.X.iloc[train], table.X.iloc[test])
    y = table.y[train]
    centre, scale = (y.mean(), y.std() or 1.0) if model.standardize else (0.0, 1.0)
    target = y if table.task == CLASSES else (y - centre) / scale
    start = perf_counter()
    fitted = model.make(0).fit(X_train, target)
    seconds = perf_counter() - start
    if table.task == NUMBERS:
        return Result(
            np.ravel(fitted.predict(X_test)) * scale + centre,
            intervals(fitted, X_test),
            seconds,
        )
    # a class that is not in training has no chance
    probabilities = np.zeros((len(test), table.y.max() + 1))
    probabilities[:, np.asarray(fitted.classes_, dtype=int)] = fitted.predict_proba(X_test)
    return Result(probabilities, None, seconds)


def intervals(fitted, X):
    """Intervals for 90 % of targets, of models that know of such."""
    if not hasattr(fitted, "predict_interval"):
        return None
    try:
        return fitted.predict_interval(X, confidence_level=0.9)
    except ValueError:  # no rows were set aside
        return None


# --- errors ---------------------------------------------------------------------------


def error(table, tests, results):
    """The share of mistakes, or the root of the mean squared error, of all splits."""
    if table.task == CLASSES:
        mistakes = [
            (r.prediction.argmax(axis=1) != table.y[test]).sum()
            for test, r in zip(tests, results, strict=True)
        ]
        return (sum(mistakes) + 0.5) / sum(map(len, tests))
    return np.mean(
        [
            root_mean_squared_error(table.y[test], r.prediction)
            for test, r in zip(tests, results, strict=True)
        ]
    )


def mean_log_loss(table, tests, results):
    """The cross entropy of test rows, with probabilities of at least 1e-7."""
    classes = np.arange(table.y.max() + 1)
    losses = []
    for test, r in zip(tests, results, strict=True):
        p = np.clip(r.prediction, 1e-7, 1)
        p /= p.sum(axis=1, keepdims=True)
        losses.append(log_loss(table.y[test], p, labels=classes))
    return np.mean(losses)


def coverage(table, tests, results):
    """The share of test targets inside of their intervals, or NaN."""
    inside = [
        (r.interval[:, 0] <= table.y[test]) & (table.y[test] <= r.interval[:, 1])
        for test, r in zip(tests, results, strict=True)
        if r.interval is not None
    ]
    return np.concatenate(inside).mean() if inside else np.nan


def over_best(values):
    """Each model's value over the least of the three peers."""
    best = min(values[name] for name in BEST_OF)
    return {name: value / best for name, value in values.items()}


# --- the report -----------------------------------------------------------------------


def row_of_cells(name, cells, form="{:14.3f}"):
    return f"{name:24}" + "".join(form.format(cell) for cell in cells)


def compare(table, arguments, options):
    """Each model's error and log loss over the best, its seconds, and our coverage."""
    pairs = list(splits(table, arguments.splits))
    tests = [test for _, test in pairs]
    results = {
        name: [measure(model, table, *pair) for pair in pairs]
        for name, model in models(table.task, options).items()
    }
    errors = {name: error(table, tests, rs) for name, rs in results.items()}
    seconds = {name: np.mean([r.seconds for r in rs]) for name, rs in results.items()}
    losses, covered = None, np.nan
    if table.task == CLASSES:
        losses = {name: mean_log_loss(table, tests, rs) for name, rs in results.items()}
        losses = over_best(losses)
    else:
        covered = coverage(table, tests, results[OURS])
    best = min(errors[name] for name in BEST_OF)
    ratios = over_best(errors)
    shape = f"{len(table.X)} x {table.X.shape[1]}"
    more = f"{best:13.4g}  {shape:>10}  {seconds[OURS]:5.2f} s"
    if covered == covered:
        more += f"  {covered:.0%} in intervals"
    print(row_of_cells(table.name, ratios.values()) + more, flush=True)
    return ratios, losses, seconds, covered


def print_summary(ratios, losses, seconds, covered):
    """Geometric means with standard errors over tables, and the rest."""
    logs = np.log(pd.DataFrame(ratios))
    spread = logs.std() / np.sqrt(len(logs)) if len(logs) > 1 else logs.iloc[0] * np.nan
    means = np.exp(logs.mean())
    print()
    print(row_of_cells("geometric mean", means))
    print(row_of_cells("  standard error", means * spread))
    print(row_of_cells("median", np.exp(logs.median())))
    print(row_of_cells("worst", np.exp(logs.max())))
    if losses is not None:
        print(row_of_cells("log loss, geom. mean", np.exp(np.log(losses).mean())))
    print(row_of_cells("mean seconds of fit", pd.DataFrame(seconds).mean()))
    if np.isfinite(covered).any():
        print(f"test targets in intervals for 90 %: {np.nanmean(covered):.1%}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, help="of CSV or Parquet files")
    parser.add_argument("--target", help="its column; otherwise the last one")
    parser.add_argument("--task", choices=[CLASSES, NUMBERS], help="of all files")
    parser.add_argument("--only", nargs="+", help="tables whose name contains one of these")
    parser.add_argument("--splits", type=int, help="of each table")
    parser.add_argument("--preset", default="default", choices=["fast", "default", "best"])
    parser.add_argument("--blend", default="linear", choices=["linear", "trees", "none"])
    parser.add_argument("--n-epochs", type=int, nargs="+", help="schedules of skdeep")
    arguments = parser.parse_args()
    # MLPs that do not converge in their default epochs are what is compared
    warnings.simplefilter("ignore")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)  # pytabkit's
    blend = None if arguments.blend == "none" else arguments.blend
    n_epochs = arguments.n_epochs or "auto"
    options = {"preset": arguments.preset, "blend": blend, "n_epochs": n_epochs}
    print(versions("scikit-deep", "numpy", "scikit-learn", "pytabkit"), f"{cores()} cores")
    print(f"skdeep: preset {arguments.preset}, blend {arguments.blend}, epochs {n_epochs}")
    print("error over the least of three peers:", ", ".join(BEST_OF))
    print(row_of_cells("table", models(CLASSES, options), "{:>14}"), end="")
    print(f"{'their least':>13}  {'table':>10}  skdeep's fit")
    compared = [compare(table, arguments, options) for table in tables(arguments)]
    if not compared:
        parser.error("there are no such tables")
    ratios, losses, seconds, covered = zip(*compared, strict=True)
    losses = pd.DataFrame([loss for loss in losses if loss is not None])
    print_summary(ratios, losses if len(losses) else None, seconds, np.array(covered))


if __name__ == "__main__":
    main()
