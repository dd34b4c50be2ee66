"""Features and targets as networks learn from them: scalers, and tables as they are."""

from skdeep.preprocessing.log_scaler import LogScaler
from skdeep.preprocessing.max_abs_scaler import MaxAbsScaler
from skdeep.preprocessing.mean_scaler import MeanScaler
from skdeep.preprocessing.min_max_scaler import MinMaxScaler
from skdeep.preprocessing.piecewise_linear_encoder import PiecewiseLinearEncoder
from skdeep.preprocessing.quantile_scaler import QuantileScaler
from skdeep.preprocessing.robust_scaler import RobustScaler
from skdeep.preprocessing.standard_scaler import StandardScaler
from skdeep.preprocessing.tabular_preprocessor import TabularPreprocessor
from skdeep.preprocessing.target_mean_encoder import TargetMeanEncoder
from skdeep.preprocessing.target_scaler import TargetScaler
from skdeep.preprocessing.unit_norm_scaler import UnitNormScaler

__all__ = [
    "LogScaler",
    "MaxAbsScaler",
    "MeanScaler",
    "MinMaxScaler",
    "PiecewiseLinearEncoder",
    "QuantileScaler",
    "RobustScaler",
    "StandardScaler",
    "TabularPreprocessor",
    "TargetMeanEncoder",
    "TargetScaler",
    "UnitNormScaler",
]
