"""What scikit-learn's callbacks are told of a fit that is one step."""

from contextlib import contextmanager


@contextmanager
def fit_task(estimator, name, X, y, sample_weight):
    """Tell callbacks of the beginning of a fit, and of its end where it succeeds."""
    given = {"X": X, "y": y, "metadata": {"sample_weight": sample_weight}}
    context = estimator._init_callback_context(name)
    context.call_on_fit_task_begin(estimator=estimator, **given)
    yield
    context.call_on_fit_task_end(estimator=estimator, reconstruction_attributes={}, **given)
