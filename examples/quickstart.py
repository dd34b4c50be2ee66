"""Recognise handwritten digits: a pipeline with a network, tuned by grid search.

Run it with: python examples/quickstart.py
"""

from time import perf_counter

from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeep import MLPClassifier

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X.astype("float32"), y, stratify=y, random_state=0
)

model = make_pipeline(
    StandardScaler(),
    MLPClassifier(learning_rate=0.003, max_iter=500, early_stopping=True, random_state=0),
)
grid = {
    "mlpclassifier__hidden_layer_sizes": [(100,), (100, 100)],
    "mlpclassifier__dropout": [0.0, 0.3],
    "mlpclassifier__weight_decay": [1e-4, 1e-2],
}

start = perf_counter()
search = GridSearchCV(model, grid, cv=5, n_jobs=-1).fit(X_train, y_train)
seconds = perf_counter() - start

print("Best parameters:")
for name, value in search.best_params_.items():
    print(f"  {name.removeprefix('mlpclassifier__')}: {value}")
print(f"Test accuracy: {search.score(X_test, y_test):.3f}")
print(f"{search.n_splits_ * len(search.cv_results_['params']) + 1} fits in {seconds:.1f} s")
print()
print(search.best_estimator_[-1].network_.summary())
