"""A table as it is: categories, dates and gaps, without preparing anything.

Run it with: python examples/tabular.py

The table is made here: rents of flats, of which some entries are missing. The model says
what a new flat costs, in which range, and what matters for it.
"""

from time import perf_counter

import numpy as np
import pandas as pd
from sklearn.inspection import permutation_importance
from sklearn.metrics import mean_absolute_error
from sklearn.model_selection import train_test_split

from skdeep import TabularRegressor

rng = np.random.default_rng(0)
n = 1000
flats = pd.DataFrame(
    {
        "area": rng.uniform(20, 150, n).round(),
        "floor": rng.integers(0, 9, n),
        "lift": rng.random(n) < 0.5,
        "district": rng.choice(["center", "harbour", "hills", "north"], n),
        "since": pd.Timestamp("2015-01-01")
        + pd.to_timedelta(rng.integers(0, 3650, n), unit="D"),
    }
)
price = flats["district"].map({"center": 18, "harbour": 15, "hills": 13, "north": 10})
years = (flats["since"] - pd.Timestamp("2015-01-01")).dt.days / 365
rent = flats["area"] * price * 1.03**years - 25 * flats["floor"] * ~flats["lift"]
rent += rng.normal(scale=60, size=n)

# text becomes categories; gaps stay as they are
flats["district"] = flats["district"].astype("category")
flats = flats.mask(rng.random(flats.shape) < 0.05).astype({"lift": "boolean"})

X_train, X_test, y_train, y_test = train_test_split(flats, rent, random_state=0)
start = perf_counter()
# leave n_epochs out for the best predictions; this is to be quick
model = TabularRegressor(n_epochs=20, random_state=0).fit(X_train, y_train)
print(
    f"{len(model.members_)} models in {perf_counter() - start:.1f} s, weighed as follows:"
)
for kind, weight in model.weights_.items():
    print(f"  {kind:10} {weight:.2f}")

print(f"R2 of rows that were set aside in training: {model.oof_score_:.3f}")
print(f"R2 of test rows: {model.score(X_test, y_test):.3f}")
off = mean_absolute_error(y_test, model.predict(X_test))
print(f"Mean error: {off:.0f}, of rents of {rent.mean():.0f} on average")

low, high = model.predict_interval(X_test, confidence_level=0.9).T
inside = np.mean((low <= y_test) & (y_test <= high))
print(f"Test rents in their intervals for 90 %: {inside:.0%}")

new = X_test.iloc[:1]
print(f"\nA new flat:\n{new.T.to_string(header=False)}")
print(f"Its rent: {model.predict(new)[0]:.0f}, from {low[0]:.0f} to {high[0]:.0f}")

importance = permutation_importance(model, X_test, y_test, n_repeats=3, random_state=0)
print("\nR2 that is lost where a column is shuffled:")
for name, lost in zip(flats, importance.importances_mean, strict=True):
    print(f"  {name:10} {lost:.2f}")
