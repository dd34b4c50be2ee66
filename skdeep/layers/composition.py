"""Layers in layers: their names, and their parameters as `get_params` shows them."""

import re
from collections import Counter

from skdeep.layers.layer import Layer

#: Stands for a layer that is left out, as in scikit-learn's pipelines.
PASSTHROUGH = "passthrough"


def named_layers(layers):
    """The (name, layer) pairs of a sequence of layers, or of such pairs.

    A layer without a name gets that of its class and a number: ``conv_1``, ``conv_2``.

    Parameters
    ----------
    layers : sequence of Layer or of (str, Layer)
        The layers; "passthrough" stands for one that is left out.

    Returns
    -------
    pairs : list of (str, Layer)

    Raises
    ------
    TypeError
        Where something is no layer.
    ValueError
        Where a name cannot be a name, or is there twice.
    """
    counts, pairs = Counter(), []
    for item in layers:
        if isinstance(item, tuple | list) and len(item) == 2:
            name, layer = item
        else:
            kind = _snake_case(type(item).__name__)
            counts[kind] += 1
            name, layer = f"{kind}_{counts[kind]}", item
        if not isinstance(layer, Layer) and layer != PASSTHROUGH:
            raise TypeError(
                "layers must be layers of skdeep.layers, or (name, layer) pairs. Got "
                f"{item!r}."
            )
        if not isinstance(name, str) or "__" in name or not name:
            raise ValueError(f"Names of layers must be strings without '__'. Got {name!r}.")
        pairs.append((name, layer))
    twice = [name for name, count in Counter(n for n, _ in pairs).items() if count > 1]
    if twice:
        raise ValueError(
            f"Names of layers must differ, but there is more than one {twice}."
        )
    return pairs


def present_layers(layers):
    """The (name, layer) pairs without those that are left out, with checked parameters."""
    pairs = [(n, layer) for n, layer in named_layers(layers) if layer != PASSTHROUGH]
    for _, layer in pairs:
        layer._validate_params()
    return pairs


def _snake_case(name):
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


class Composition:
    """Makes the layers of a parameter `layers` reachable, as steps of pipelines are.

    It stands before a class with `get_params` and `set_params`.
    """

    def get_params(self, deep=True):
        """The parameters; if deep, also the layers by name, and their parameters.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include the layers and what is in them.

        Returns
        -------
        parameters : dict of str to object
        """
        found = super().get_params(deep=deep)
        if deep:
            for name, layer in self._layers_or_none():
                found[name] = layer
                if hasattr(layer, "get_params"):
                    parameters = layer.get_params(deep=True).items()
                    found |= {f"{name}__{key}": value for key, value in parameters}
        return found

    def set_params(self, **params):
        """Set parameters; a layer's are ``name__parameter``, a layer itself is ``name``.

        Parameters
        ----------
        **params : dict
            The values by name.

        Returns
        -------
        self : object
        """
        if "layers" in params:
            self.layers = params.pop("layers")
        pairs = self._layers_or_none()
        replaced = {n: params.pop(n) for n, _ in pairs if n in params}
        if replaced:
            kind = type(self.layers)
            pairs = [(name, replaced.get(name, layer)) for name, layer in pairs]
            self.layers = list(pairs) if kind is list else tuple(pairs)
        return super().set_params(**params)

    def _layers_or_none(self):
        # wrong layers are told of in fit, not when an estimator is printed
        try:
            return named_layers(self.layers or ())
        except (TypeError, ValueError):
            return []
