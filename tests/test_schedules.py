"""Every schedule equals its published formula at every step, and ends where it says."""

import pickle
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, ParameterGrid
from sklearn.utils._param_validation import InvalidParameterError

from skdeep import MLPClassifier
from skdeep.schedules import (
    SCHEDULES,
    ConstantRate,
    CosineDecay,
    ExponentialDecay,
    InverseScaling,
    OneCycle,
    Progress,
    ReduceOnPlateau,
    StepDecay,
    WarmupCosine,
    get_schedule,
)

pytestmark = pytest.mark.tiny

epochs = st.integers(1, 8)
steps = st.integers(1, 7)
shares = st.integers(0, 64).map(lambda numerator: numerator / 64)
property_test = settings(max_examples=60, deadline=None)


def factors(schedule, n_epochs, steps_per_epoch, monitored=()):
    """The factors of all steps of a whole training, an epoch in each row."""
    return np.array(
        [
            schedule.factors(
                Progress(
                    epoch,
                    epoch * steps_per_epoch,
                    steps_per_epoch,
                    n_epochs,
                    monitored[:epoch],
                )
            )
            for epoch in range(n_epochs)
        ]
    )


# --- functions of the epoch -------------------------------------------------------


@property_test
@given(epochs, steps)
def test_constant_rate_is_one_always(n_epochs, n_steps):
    np.testing.assert_array_equal(
        factors(ConstantRate(), n_epochs, n_steps), np.ones((n_epochs, n_steps))
    )


@property_test
@given(epochs, steps, st.floats(0.01, 1), st.integers(1, 4))
def test_step_decay_drops_every_so_many_epochs(n_epochs, n_steps, factor, every):
    actual = factors(StepDecay(factor, every), n_epochs, n_steps)
    for epoch in range(n_epochs):
        np.testing.assert_allclose(actual[epoch], factor ** (epoch // every), rtol=1e-14)


@property_test
@given(epochs, steps, st.floats(0.01, 1))
def test_exponential_decay_multiplies_each_epoch(n_epochs, n_steps, factor):
    actual = factors(ExponentialDecay(factor), n_epochs, n_steps)
    expected = np.cumprod([1.0] + [factor] * (n_epochs - 1))
    np.testing.assert_allclose(actual, np.repeat(expected, n_steps).reshape(actual.shape))


# --- functions of the step --------------------------------------------------------


@property_test
@given(epochs, steps, st.floats(0.1, 2))
def test_inverse_scaling_divides_by_a_power_of_the_step(n_epochs, n_steps, power):
    actual = factors(InverseScaling(power), n_epochs, n_steps).ravel()
    expected = [1 / t**power for t in range(1, n_epochs * n_steps + 1)]
    np.testing.assert_allclose(actual, expected, rtol=1e-13)


def test_inverse_scaling_starts_at_one():
    assert InverseScaling().factors(Progress(0, 0, 1, 1)) == 1.0


@property_test
@given(epochs, steps, shares)
def test_cosine_decay_equals_its_formula(n_epochs, n_steps, final):
    actual = factors(CosineDecay(final), n_epochs, n_steps).ravel()
    last = max(n_epochs * n_steps - 1, 1)
    expected = [
        final + 0.5 * (1 - final) * (1 + np.cos(np.pi * t / last))
        for t in range(n_epochs * n_steps)
    ]
    np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-15)


@property_test
@given(st.integers(2, 8), steps, st.sampled_from([0.0, 0.25, 1.0]))
def test_cosine_decay_goes_from_one_to_the_final_factor(n_epochs, n_steps, final):
    actual = factors(CosineDecay(final), n_epochs, n_steps).ravel()
    assert actual[0] == 1.0
    assert actual[-1] == final
    assert (np.diff(actual) <= 0).all()


@property_test
@given(epochs, steps, shares, shares)
def test_warmup_cosine_equals_its_formula(n_epochs, n_steps, fraction, final):
    actual = factors(WarmupCosine(fraction, final), n_epochs, n_steps).ravel()
    last = max(n_epochs * n_steps - 1, 1)
    warmup = int(fraction * last)
    for t, factor in enumerate(actual):
        if t < warmup:
            expected = (t + 1) / (warmup + 1)
        else:
            share = (t - warmup) / max(last - warmup, 1)
            expected = final + 0.5 * (1 - final) * (1 + np.cos(np.pi * share))
        assert factor == pytest.approx(expected, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.5, 1.0])
def test_warmup_reaches_one_at_its_end(fraction):
    actual = factors(WarmupCosine(fraction), 5, 5).ravel()
    top = int(fraction * 24)
    assert actual[top] == 1.0
    assert actual.argmax() == top
    assert (np.diff(actual[: top + 1]) > 0).all()
    assert (np.diff(actual[top:]) < 0).all()


def test_warmup_cosine_ends_at_the_final_factor():
    assert factors(WarmupCosine(0.1, 0.25), 5, 5)[-1, -1] == 0.25


@property_test
@given(epochs, steps, shares, st.floats(1, 100), st.floats(1, 1e4))
def test_one_cycle_equals_its_formula(n_epochs, n_steps, fraction, div, final_div):
    actual = factors(OneCycle(fraction, div, final_div), n_epochs, n_steps).ravel()
    last = max(n_epochs * n_steps - 1, 1)
    peak = fraction * last

    def anneal(start, end, share):
        return end + (start - end) / 2 * (1 + np.cos(np.pi * share))

    for t, factor in enumerate(actual):
        if t < peak:
            expected = anneal(1 / div, 1, t / peak)
        elif peak < last:
            expected = anneal(1, 1 / (div * final_div), (t - peak) / (last - peak))
        else:
            expected = 1.0
        assert factor == pytest.approx(expected, rel=1e-9)


def test_one_cycle_starts_low_peaks_at_one_and_ends_lower():
    actual = factors(OneCycle(0.25, div_factor=20, final_div_factor=50), 3, 7).ravel()
    assert actual[0] == pytest.approx(1 / 20, rel=1e-14)
    assert actual[5] == actual.max() == 1.0
    assert actual[-1] == pytest.approx(1 / 1000, rel=1e-13)
    assert (np.diff(actual[:6]) > 0).all()
    assert (np.diff(actual[5:]) < 0).all()


@pytest.mark.parametrize("fraction", [0.0, 1.0])
def test_one_cycle_may_peak_at_either_end(fraction):
    actual = factors(OneCycle(fraction), 3, 7).ravel()
    assert actual[0 if fraction == 0 else -1] == 1.0
    assert actual.argmax() == (0 if fraction == 0 else 20)


@pytest.mark.parametrize("name", sorted(SCHEDULES))
def test_a_single_step_gets_a_usable_rate(name):
    (factor,) = get_schedule(name).factors(Progress(0, 0, 1, 1))
    assert 0 < factor <= 1


@pytest.mark.parametrize("name", ["cosine", "warmup_cosine", "one_cycle"])
def test_rates_stay_at_the_end_when_training_goes_on_beyond_it(name):
    schedule = get_schedule(name)
    end = factors(schedule, 4, 5)[-1, -1]
    beyond = schedule.factors(Progress(6, 30, 5, 4))
    np.testing.assert_allclose(beyond, end, rtol=1e-12)


@pytest.mark.parametrize("schedule", [CosineDecay(0.25), WarmupCosine(0.1, 0.25)], ids=repr)
def test_the_end_is_reached_when_later_epochs_have_other_numbers_of_steps(schedule):
    """As when `partial_fit` or a warm start goes on with more data."""
    assert schedule.factors(Progress(3, 12, 9, 4))[-1] == 0.25


# --- functions of the monitored loss ----------------------------------------------


def plateau(losses, **parameters):
    """The factor of each epoch, the last of them after all losses."""
    rates = factors(
        ReduceOnPlateau(**parameters), len(losses) + 1, 2, monitored=tuple(losses)
    )
    np.testing.assert_array_equal(rates[:, 0], rates[:, 1])
    return rates[:, 0].tolist()


def test_plateau_reduces_after_exactly_patience_epochs_without_improvement():
    losses = [1.0, 0.5, 0.5, 0.5, 0.5]
    assert plateau(losses, factor=0.5, patience=3) == [1, 1, 1, 1, 1, 0.5]


def test_plateau_waits_again_after_a_reduction():
    losses = [1.0] * 6
    assert plateau(losses, factor=0.5, patience=2) == [1, 1, 1, 0.5, 0.5, 0.25, 0.25]


def test_plateau_counts_anew_after_an_improvement():
    losses = [1.0, 1.0, 0.9, 0.9, 0.8, 0.8]
    assert plateau(losses, factor=0.5, patience=2) == [1] * 7


def test_plateau_ignores_improvements_of_no_more_than_min_delta():
    losses = [1.0, 0.9375, 0.875]
    assert plateau(losses, factor=0.5, patience=2, min_delta=0.125) == [1, 1, 1, 0.5]


def test_plateau_adds_small_improvements_up():
    losses = [1.0, 0.875, 0.75, 0.625]
    rates = plateau(losses, factor=0.5, patience=3, min_delta=0.125)
    assert rates == [1, 1, 1, 1, 1]


def test_plateau_never_goes_below_the_smallest_factor():
    rates = plateau([1.0] * 8, factor=0.5, patience=1, min_factor=0.125)
    assert rates == [1, 1, 0.5, 0.25, 0.125, 0.125, 0.125, 0.125, 0.125]


# --- names and parameters ---------------------------------------------------------


@pytest.mark.parametrize("name", sorted(SCHEDULES))
def test_a_schedule_by_name_is_a_valid_scikit_learn_object(name):
    schedule = get_schedule(name)
    schedule._validate_params()
    assert clone(schedule).get_params() == schedule.get_params()


@pytest.mark.parametrize("name", sorted(SCHEDULES))
def test_factors_are_a_function_of_progress_alone(name):
    schedule = get_schedule(name)
    progress = Progress(2, 10, 5, 6, (1.0, 0.9))
    first = schedule.factors(progress)
    schedule.factors(Progress(5, 25, 5, 6, (1.0,) * 5))
    np.testing.assert_array_equal(schedule.factors(progress), first)
    assert first.shape == (5,)


@pytest.mark.parametrize(
    "schedule",
    [
        StepDecay(factor=2),
        StepDecay(factor=0.0),
        StepDecay(epochs=0),
        ExponentialDecay(factor=1.1),
        InverseScaling(power=0),
        CosineDecay(final_factor=-0.1),
        WarmupCosine(warmup_fraction=1.5),
        OneCycle(peak_fraction=-1),
        OneCycle(div_factor=0.5),
        OneCycle(final_div_factor=0.0),
        ReduceOnPlateau(patience=0),
        ReduceOnPlateau(min_delta=-1.0),
        ReduceOnPlateau(factor="small"),
    ],
    ids=repr,
)
def test_parameters_outside_their_domain_are_refused(schedule):
    with pytest.raises(InvalidParameterError):
        get_schedule(schedule)


# --- in an estimator --------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(SCHEDULES))
def test_every_step_of_a_fit_has_the_rate_of_the_formula(digits, name):
    X, y = digits[0][:300], digits[1][:300]
    model = MLPClassifier(
        (5,),
        learning_rate=0.03,
        learning_rate_schedule=name,
        batch_size=64,
        max_iter=7,
        n_iter_no_change=50,
        random_state=0,
    ).fit(X, y)
    expected = factors(SCHEDULES[name], 7, 5, tuple(model.loss_curve_))
    np.testing.assert_array_equal(model.history_["learning_rate"], 0.03 * expected.ravel())


GRIDS = [
    (StepDecay(), {"epochs": [1, 2], "factor": [0.1, 0.5]}),
    (ExponentialDecay(), {"factor": [0.5, 0.9]}),
    (InverseScaling(), {"power": [0.5, 1.0]}),
    (CosineDecay(), {"final_factor": [0.0, 0.5]}),
    (WarmupCosine(), {"warmup_fraction": [0.1, 0.5], "final_factor": [0.0]}),
    (OneCycle(), {"peak_fraction": [0.1, 0.9], "div_factor": [2.0]}),
    (ReduceOnPlateau(), {"patience": [1, 2], "factor": [0.1]}),
]


@pytest.mark.parametrize("schedule, grid", GRIDS, ids=lambda x: type(x).__name__)
def test_parameters_are_reached_in_a_grid(digits, schedule, grid):
    X, y = digits[0][:200], digits[1][:200]
    model = MLPClassifier(
        (5,), learning_rate_schedule=schedule, max_iter=4, tol=1.0, random_state=0
    )
    named = {f"learning_rate_schedule__{name}": grid[name] for name in grid}
    search = GridSearchCV(model, named, cv=2).fit(X, y)
    for parameters in ParameterGrid(grid):
        expected = clone(schedule).set_params(**parameters)
        one = clone(model).set_params(
            **{f"learning_rate_schedule__{k}": v for k, v in parameters.items()}
        )
        rates = one.fit(X, y).history_["learning_rate"]
        losses = tuple(one.loss_curve_)
        np.testing.assert_array_equal(
            rates, 0.001 * factors(expected, 4, 1, losses).ravel()
        )
    best = search.best_estimator_.learning_rate_schedule
    assert all(getattr(best, name) in grid[name] for name in grid)
    assert schedule.get_params() == type(schedule)().get_params()


def test_rates_that_do_not_change_within_an_epoch_take_little_memory(digits):
    model = MLPClassifier((5,), batch_size=1, max_iter=3, random_state=0).fit(*digits)
    assert model.history_["learning_rate"].shape == (3 * 1797,)
    assert len(pickle.dumps(model._training_state)) < 3000


# --- the end of the plan ----------------------------------------------------------

_X = np.random.default_rng(0).normal(size=(20, 3))
_Y = np.arange(20) % 2


@pytest.mark.parametrize("schedule", ["cosine", "warmup_cosine", "one_cycle"])
def test_partial_fit_says_once_that_the_plan_has_ended(schedule):
    model = MLPClassifier((4,), learning_rate_schedule=schedule, max_iter=5, random_state=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(5):
            model.partial_fit(_X, _Y, classes=[0, 1])
        assert not caught
        for _ in range(5):
            model.partial_fit(_X, _Y)
            model = pickle.loads(pickle.dumps(model))
    (warning,) = caught
    for words in (repr(schedule), "max_iter=5", "'constant'"):
        assert words in str(warning.message)


def test_a_plan_made_longer_may_end_again():
    model = MLPClassifier((4,), learning_rate_schedule="cosine", max_iter=2)
    for _ in range(2):
        model.partial_fit(_X, _Y, classes=[0, 1])
    for _ in range(2):
        with pytest.warns(UserWarning, match="are done"):
            model.partial_fit(_X, _Y)
        model.set_params(max_iter=model.n_iter_ + 1)
        model.partial_fit(_X, _Y)


@pytest.mark.parametrize("schedule", sorted(SCHEDULES))
def test_a_fit_that_ends_as_planned_is_not_told_to_go_on(schedule):
    model = MLPClassifier((4,), learning_rate_schedule=schedule, max_iter=2)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(_X, _Y)
    texts = [str(warning.message) for warning in caught]
    if schedule in ("cosine", "warmup_cosine", "one_cycle"):
        assert not texts
    else:
        assert len(texts) == 1 and "Raise max_iter" in texts[0]


def test_for_lbfgs_no_schedule_is_a_plan():
    model = MLPClassifier((4,), learning_rate_schedule="cosine", max_iter=2)
    with pytest.warns(UserWarning, match="Maximum iterations"):
        model.set_params(optimizer="lbfgs").fit(_X, _Y)


def plateau_one_by_one(losses, patience, min_delta):
    """The reductions, found as the class describes them."""
    best, waited, reductions = np.inf, 0, 0
    for loss in losses:
        if loss < best - min_delta:
            best, waited = loss, 0
            continue
        waited += 1
        if waited == patience:
            reductions, waited = reductions + 1, 0
    return reductions


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from([0.0, 0.1, 0.2, 0.3, 1.0, np.inf, np.nan]), max_size=40),
    st.integers(1, 4),
    st.sampled_from([0.0, 0.05, 0.1, 0.5]),
)
def test_plateaus_are_those_found_one_by_one(losses, patience, min_delta):
    schedule = ReduceOnPlateau(0.5, patience, min_delta, min_factor=0.0)
    (factor,) = schedule.factors(Progress(len(losses), 1, 1, 99, tuple(losses)))
    assert factor == 0.5 ** plateau_one_by_one(losses, patience, min_delta)
