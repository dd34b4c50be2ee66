"""Interrupts: a solver that the user stops hands on the best solution so far."""

from contextlib import contextmanager
from dataclasses import replace

from joblib import Parallel, delayed


class Interrupted(KeyboardInterrupt):
    """The user's interrupt of a solver.

    Parameters
    ----------
    solution : Solution
        The best one that the solver had, with its certificate.
    """

    def __init__(self, solution):
        super().__init__()
        self.solution = solution


@contextmanager
def keeping(solution):
    """Hand on this solution with an interrupt of what follows, or what is better.

    Parameters
    ----------
    solution : Solution or None
        The best one so far, of the same problem.
    """
    try:
        yield
    except KeyboardInterrupt as interrupt:
        best = getattr(interrupt, "solution", solution)
        if best is None:
            raise
        if solution is not None and solution.gap <= best.gap:
            best = replace(solution, n_iter=max(solution.n_iter, best.n_iter))
        raise Interrupted(best) from interrupt


class Solves:
    """Several solutions, whose search one interrupt ends: each is the best so far.

    Attributes
    ----------
    interrupt : KeyboardInterrupt or None
        What ended the search, if anything did.
    """

    def __init__(self):
        self.interrupt = None

    def run(self, minimize, *arguments, max_iter, **options):
        """The solution that a solver finds; after an interrupt, where it would begin."""
        if self.interrupt is not None:
            max_iter = 0
        try:
            return minimize(*arguments, max_iter=max_iter, **options)
        except Interrupted as interrupt:
            self.interrupt = interrupt
            return interrupt.solution

    def map(self, function, items, n_jobs):
        """What a function that calls `run` gives for each item, on several threads."""
        results = {}

        def keep(item):
            results[item] = function(item)

        try:
            # threads, whatever joblib is configured to use: they share X and `results`
            Parallel(n_jobs=n_jobs, require="sharedmem")(delayed(keep)(i) for i in items)
        except KeyboardInterrupt as interrupt:
            self.interrupt = interrupt
        # those that threads have not ended are given up
        return [results[i] if i in results else function(i) for i in items]

    def check_begun(self, solutions):
        """Raise KeyboardInterrupt where it came before any solver had begun."""
        if self.interrupt is not None and not any(s.n_iter for s in solutions):
            raise KeyboardInterrupt from self.interrupt
