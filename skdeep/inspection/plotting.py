"""What all plots share: Matplotlib, which is only imported where something is drawn."""


def import_pyplot():
    """Matplotlib's pyplot.

    Raises
    ------
    ImportError
        Where Matplotlib is not installed; it says how to install it.
    """
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError(
            'Plots need Matplotlib. Install it with: pip install "scikit-deep[plot]"'
        ) from error
    return pyplot


def check_is_network(estimator):
    """Raise a ValueError where an estimator is not one of skdeep's own, such as a pipeline.

    Raises
    ------
    ValueError
        It says what to pass instead.
    """
    if not hasattr(estimator, "_layers"):
        hint = ""
        if hasattr(estimator, "steps"):
            hint = " Of a pipeline pass the last step, pipeline[-1], and data that went "
            hint += "through the steps before, pipeline[:-1].fit_transform(X)."
        elif hasattr(estimator, "best_estimator_"):
            hint = " Of a search pass its best_estimator_."
        raise ValueError(
            f"An estimator of skdeep that trains a network was expected, such as "
            f"MLPClassifier. Got a {type(estimator).__name__}.{hint}"
        )
