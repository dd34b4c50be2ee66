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
