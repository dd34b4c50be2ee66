"""What the docstrings of scalers share."""

PARAMETERS = """
    feature_axes : int or tuple of int, default=-1
        The axes of X with a scale of their own. -1 scales each column of a table, and
        each channel of images and signals that have the channels last; ``(1, 2, 3)``
        each channel of each pixel, ``1`` the channels if they come first, and ``()``
        gives one scale to everything.

    copy : bool, default=True
        Whether to leave the X that is transformed as it is. False overwrites it if it
        is an array of float32 or float64, or a sparse one.
"""

ATTRIBUTES = """
    n_samples_seen_ : int
        The number of samples seen, whatever they weigh and with those that miss values.

    n_features_in_ : int
        The number of features.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        The names of the features, where X had names.
"""


def document(cls):
    """Fill ``{parameters}`` and ``{attributes}`` into a class's docstring."""
    if cls.__doc__ is not None:  # else python -OO
        cls.__doc__ = cls.__doc__.replace("{parameters}", PARAMETERS.strip())
        cls.__doc__ = cls.__doc__.replace("{attributes}", ATTRIBUTES.strip())
    return cls
