"""Fitting succeeds, or leaves the estimator as it was."""

from functools import wraps


def all_or_nothing(fit):
    """Let a method that fits an estimator undo what it did where it fails.

    The method must make new objects instead of changing those that attributes refer to:
    then the old attributes are all there is to restore. A fit that the user interrupts
    keeps what it has trained so far.

    Parameters
    ----------
    fit : callable
        The method, which raises KeyboardInterrupt again. Its estimator's
        ``_keeps_interrupted_fit(before)`` says whether there is something to keep,
        given the attributes before.

    Returns
    -------
    fit : callable
    """

    @wraps(fit)
    def fit_or_restore(self, *args, **kwargs):
        before = vars(self).copy()
        try:
            return fit(self, *args, **kwargs)
        except BaseException as error:
            interrupted = isinstance(error, KeyboardInterrupt)
            if not (interrupted and self._keeps_interrupted_fit(before)):
                self.__dict__ = before
            raise

    return fit_or_restore
