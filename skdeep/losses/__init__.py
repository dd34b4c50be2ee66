"""Loss functions, by name and as objects with parameters; subclass one for your own."""

from skdeep.losses import base, classification, regression
from skdeep.losses.base import *
from skdeep.losses.classification import *
from skdeep.losses.regression import *

__all__ = [*base.__all__, *classification.__all__, *regression.__all__]
