"""What `set_params` says of parameters of a parameter that is given by its name only."""

from typing import Any, ClassVar


class NamedParameters:
    """Makes `set_params` tell which object to pass for ``optimizer__momentum``.

    It stands before a class with `get_params` and `set_params`. A subclass maps its
    parameters that may be names to the objects that these stand for.
    """

    _named_objects: ClassVar[dict[str, Any]] = {}

    def set_params(self, **params):
        """Set parameters; those of a parameter that is an object are ``name__parameter``.

        Parameters
        ----------
        **params : dict
            The values by name.

        Returns
        -------
        self : object
        """
        own = self.get_params(deep=False)
        for key in params:
            name, nested, parameter = key.partition("__")
            if not nested or name not in own:
                continue
            value = params.get(name, own[name])
            if not hasattr(value, "set_params"):
                objects = self._named_objects.get(name, {})
                raise ValueError(_advice(name, value, parameter, objects))
        return super().set_params(**params)


def _advice(name, value, parameter, objects):
    own = objects[value] if isinstance(value, str) and value in objects else None
    if own is not None and parameter in own.get_params():
        suitable = [_call(own, parameter)]
    else:
        found = [item for item in objects.values() if parameter in item.get_params()]
        suitable = sorted({_call(type(item)(), parameter) for item in found})
    text = f"{name}={value!r} has no parameter {parameter!r}"
    if not suitable:
        return f"{text}, nor has any other {name} that goes by a name."
    module = ".".join(type(next(iter(objects.values()))).__module__.split(".")[:2])
    choices = " or ".join(f"{name}={call}" for call in suitable)
    return f"{text}: only objects have parameters. Pass {choices}, from {module}."


def _call(item, parameter):
    """How to make such an object, with a parameter to be filled in."""
    defaults = type(item)().get_params()
    parameters = {k: repr(v) for k, v in item.get_params().items() if v != defaults[k]}
    parameters[parameter] = "..."
    inside = ", ".join(f"{k}={v}" for k, v in parameters.items())
    return f"{type(item).__name__}({inside})"
