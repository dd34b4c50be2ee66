"""The door to the arithmetic: kernels by name, knowing nothing of layers.

Each file is a family of kernels, and says in `__all__` what it adds. Its NumPy half, the
formula and then the array expression, runs where no compiled kernels are installed, and is
the oracle that the compiled half, the file of C++ beside it, is tested against.
"""

from skdeep.kernels.activation import *
from skdeep.kernels.augmentation import *
from skdeep.kernels.convolution import *
from skdeep.kernels.coordinate_descent import *
from skdeep.kernels.dense import *
from skdeep.kernels.dropout import *
from skdeep.kernels.elementwise import *
from skdeep.kernels.embedding import *
from skdeep.kernels.gather import *
from skdeep.kernels.linear import *
from skdeep.kernels.loss import *
from skdeep.kernels.normalization import *
from skdeep.kernels.optimizer import *
from skdeep.kernels.peak import *
from skdeep.kernels.pooling import *
from skdeep.kernels.runtime import native as native
from skdeep.kernels.runtime.contract import *
from skdeep.kernels.runtime.formula_kernels import *
from skdeep.kernels.runtime.philox import *
from skdeep.kernels.winograd import *
