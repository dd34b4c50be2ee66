"""The door to the arithmetic: kernels by name, knowing nothing of layers."""

from skdeep.kernels.reference import *
from skdeep.kernels.reference import __all__ as __all__
