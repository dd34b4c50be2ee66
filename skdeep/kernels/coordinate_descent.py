"""Dual coordinate descent for linear support vector machines, one row after the other.

Hsieh, Chang, Lin, Keerthi and Sundararajan (2008). "A dual coordinate descent method for
large-scale linear SVM". ICML. The intercept is w's last entry, as if every row had the
feature sqrt(rho), plus the multiplier of the condition that sum_i sign_i alpha_i, the
balance, is zero.
"""

import math
from functools import partial

from skdeep.kernels.runtime.contract import compiled

__all__ = ["coordinate_descent", "sparse_coordinate_descent"]

_MASK = (1 << 64) - 1
# The progress array's entries: epochs done, rows that are not set aside, random state,
# and whether the last epoch found all gradients alike.
EPOCHS, ACTIVE, RANDOM, DONE = range(4)
# The budget's: epochs, and rows visited.
VISITS = 1
# The state array's: rows with a gradient beyond the first two are set aside; the balance.
HIGHEST, LOWEST, BALANCE = range(3)


def _splitmix(state):
    """The next random number and state (Steele, Lea and Flood 2014)."""
    state = (state + 0x9E3779B97F4A7C15) & _MASK
    z = state
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31), state


def _descend(
    n_rows, multiply, add, sign, threshold, limit, ridge, curvature, rho, tol, budget,
    w, alpha, order, progress, state,
):  # fmt: skip
    """Do epochs, until their number or that of the rows visited reaches the budget.

    `multiply(row)` is x_row . w, `add(row, step)` adds step x_row to w.
    """
    n = len(alpha)
    random = int(progress[RANDOM]) & _MASK
    active = int(progress[ACTIVE])
    visited = 0
    for _ in range(int(budget[EPOCHS])):
        if visited >= budget[VISITS]:
            break
        visited += active
        for i in range(active - 1, 0, -1):
            number, random = _splitmix(random)
            j = ((number >> 32) * (i + 1)) >> 32
            order[i], order[j] = order[j], order[i]
        largest, smallest = -math.inf, math.inf
        k = 0
        while k < active:
            i = order[k]
            a = float(alpha[i])
            row = i % n_rows
            g = float(sign[i]) * (multiply(row) + float(w[-1])) - float(threshold[i])
            g += float(ridge[i]) * a
            at_zero, at_limit = a <= 0, a >= limit[i]
            if (at_zero and g > state[HIGHEST]) or (at_limit and g < state[LOWEST]):
                active -= 1
                order[k], order[active] = order[active], order[k]
                continue
            projected = min(g, 0.0) if at_zero else max(g, 0.0) if at_limit else g
            largest, smallest = max(largest, projected), min(smallest, projected)
            if projected != 0:
                new = min(max(a - g / float(curvature[i]), 0.0), float(limit[i]))
                alpha[i] = new
                step = (new - a) * float(sign[i])
                add(row, step)
                w[-1] += float(rho) * step
                state[BALANCE] += step
            k += 1
        progress[EPOCHS] += 1
        # the multiplier moves where that changes more than is left to do for this one
        move, spread = float(rho) * float(state[BALANCE]), largest - smallest
        size = abs(move)
        progress[DONE] = (spread <= tol and size <= tol) or active == 0
        moved = size if size >= spread else 0.0
        w[-1] += math.copysign(moved, move)
        state[HIGHEST] = largest + moved if largest > 0 else math.inf
        state[LOWEST] = smallest - moved if smallest < 0 else -math.inf
        if progress[DONE]:
            state[HIGHEST], state[LOWEST] = math.inf, -math.inf
            if active == n:
                break
            active, progress[DONE] = n, 0  # look at the rows set aside once more
    progress[ACTIVE] = active
    progress[RANDOM] = random - (1 << 64) if random >> 63 else random


def _check(w, alpha, progress, x=None, row_end=None, **_):
    if not 0 <= progress[ACTIVE] <= len(alpha):
        raise ValueError(f"progress={progress} is none of {len(alpha)} rows.")
    if x is not None and x.shape[1] + 1 != len(w):
        raise ValueError(f"w has {len(w)} entries for {x.shape[1]} columns and 1.")
    if len(alpha) and not len(row_end if x is None else x):
        raise ValueError("There are no rows.")


_declare = partial(
    compiled,
    None,
    writes="w alpha order progress state",
    check=_check,
    sign="alphas",
    threshold="alphas",
    limit="alphas",
    ridge="alphas",
    curvature="alphas",
    rho="number",
    tol="number",
    budget="int64: 2",
    alpha="alphas",
    order="int64<alphas: alphas",
    progress="int64: 4",
    state="3",
)


@_declare(x="rows columns", w="weights")
def coordinate_descent(
    x, sign, threshold, limit, ridge, curvature, rho, tol, budget,
    w, alpha, order, progress, state,
):  # fmt: skip
    """Epochs of dual coordinate descent on dense rows.

    Minimizes |w|^2 / 2 + sum_i ridge_i alpha_i^2 / 2 - threshold . alpha over
    0 <= alpha_i <= limit_i, where w = sum_i sign_i alpha_i x_i.
    """

    def multiply(row):
        return float(x[row] @ w[:-1])

    def add(row, step):
        w[:-1] += step * x[row]

    _descend(
        x.shape[0], multiply, add, sign, threshold, limit, ridge, curvature, rho, tol,
        budget, w, alpha, order, progress, state,
    )  # fmt: skip


@_declare(
    values="entries",
    columns="int<weights: entries",
    row_end="int<=entries: rows",
    w="weights",
)
def sparse_coordinate_descent(
    values, columns, row_end, sign, threshold, limit, ridge, curvature, rho, tol, budget,
    w, alpha, order, progress, state,
):  # fmt: skip
    """The same on the rows of a CSR matrix, where row i ends at row_end[i]."""

    def entries(row):
        return slice(row_end[row - 1] if row else 0, row_end[row])

    def multiply(row):
        place = entries(row)
        return float(values[place] @ w[columns[place]])

    def add(row, step):
        place = entries(row)
        w[columns[place]] += step * values[place]

    _descend(
        len(row_end), multiply, add, sign, threshold, limit, ridge, curvature, rho, tol,
        budget, w, alpha, order, progress, state,
    )  # fmt: skip
