"""Every scaler, in several configurations, passes scikit-learn's own checks.

Not with copy=False: those that transform the same X twice change it, also with
scikit-learn's own scalers. test_scaler_input.py tests it.
"""

import pytest
from sklearn.linear_model import Ridge
from sklearn.utils.estimator_checks import parametrize_with_checks

from skdeep import MLPRegressor
from skdeep.preprocessing import (
    LogScaler,
    MaxAbsScaler,
    MeanScaler,
    MinMaxScaler,
    PiecewiseLinearEncoder,
    QuantileScaler,
    RobustScaler,
    StandardScaler,
    TabularPreprocessor,
    TargetMeanEncoder,
    TargetScaler,
    UnitNormScaler,
)

SCALERS = [
    StandardScaler(),
    StandardScaler(with_mean=False),
    StandardScaler(with_std=False),
    StandardScaler(feature_axes=()),
    MinMaxScaler(),
    MinMaxScaler(feature_range=(-1, 1), clip=True),
    MeanScaler(),
    MaxAbsScaler(),
    MaxAbsScaler(clip=True),
    RobustScaler(),
    RobustScaler(smooth_clip=3.0, unit_variance=True),
    RobustScaler(with_centering=False, quantile_range=(10.0, 90.0)),
    UnitNormScaler(),
    UnitNormScaler("l1"),
    UnitNormScaler("max", feature_axes=-1),
    LogScaler(),
    LogScaler(unit=2.0),
    QuantileScaler(),
    QuantileScaler(n_quantiles=5, output_distribution="normal"),
    PiecewiseLinearEncoder(),
    PiecewiseLinearEncoder(3, clip=True),
    TabularPreprocessor(),
    TabularPreprocessor([0], max_onehot=1000, dtype="float64"),
    TargetMeanEncoder(),
    TargetMeanEncoder(target_type="classes", random_state=0),
    TargetScaler(Ridge()),
    TargetScaler(Ridge(), scaler=RobustScaler()),
    TargetScaler(MLPRegressor(batch_size="full", max_iter=50, random_state=0)),
]


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(SCALERS)
def test_scaler_passes_every_check(estimator, check):
    check(estimator)
