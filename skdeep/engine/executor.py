"""Executors: what runs a program's calls, in NumPy or natively.

Both take the same calls on the same arrays. `bind` makes a step that can be run;
its `run_epoch` does all steps of an epoch. Nothing above knows which one runs.
"""

from contextlib import nullcontext
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from skdeep.engine.threads import thread_limit, threads
from skdeep.kernels import COMPILED, check_arguments, check_names, native

# The compiled executor uses one thread below so many operations a step: a barrier of
# several costs more than it gives.
_SERIAL_COST = 3e6


@dataclass(frozen=True)
class Epoch:
    """The steps of an epoch, and the arrays that change between them.

    Parameters
    ----------
    n_full : int
        How many steps on full batches there are.

    last : bound program or None
        A step on the rows that are left: fewer than a batch, or a few more.

    order : ndarray of int or None
        The numbers of the rows in the epoch's order, one batch after the other; None
        where a batch is all rows.

    index, step, learning_rate : ndarray
        Where a program reads the numbers of its rows, the number of the step and its
        learning rate.

    rates : ndarray of float
        The learning rate of each step.
    """

    n_full: int
    last: object
    order: np.ndarray | None
    index: np.ndarray
    step: np.ndarray
    learning_rate: np.ndarray
    rates: np.ndarray


@dataclass(frozen=True)
class Times:
    """What clocks around the calls of a program said.

    Parameters
    ----------
    seconds : ndarray of shape (n_calls,)
        Those that a step spent in each call, of all threads together.

    wall : float
        The seconds from the start of a step to its end.

    threads : int
        How many threads there were.
    """

    seconds: np.ndarray
    wall: float
    threads: int


def bind(calls, rows, dtype):
    """A program whose arguments are arrays: `run` does one step.

    Parameters
    ----------
    calls : list of (kernel, dict of str to ndarray or number)
        The kernels and their arguments by name.

    rows : int
        The rows of a batch.

    dtype : dtype
        The type of the program's numbers.

    Returns
    -------
    program : ReferenceProgram or NativeProgram

    Raises
    ------
    TypeError, ValueError
        Where arguments are not as their kernel declares them.
    """
    dtype = np.dtype(dtype)
    if dtype not in (np.float32, np.float64):
        raise TypeError(f"Programs are of type float32 or float64, not {dtype}.")
    calls = [(kernel, _checked(kernel, named, dtype)) for kernel, named in calls]
    kind = NativeProgram if native.ENABLED else ReferenceProgram
    return kind(calls, rows, dtype)


def _checked(kernel, named, dtype):
    """The arguments of a call in the order of the kernel's, checked."""
    if tuple(named) != kernel.arguments:
        check_names(kernel, named)
        named = {name: named[name] for name in kernel.arguments}
    check_arguments(kernel, named, dtype)
    for name, value in named.items():
        if isinstance(value, np.generic):  # compiled kernels take Python's numbers alone
            named = named | {name: value.item()}
    return named


class ReferenceProgram:
    """Runs one NumPy kernel after the other; the BLAS has one thread for large products.

    With more, the bits of a product would depend on their number.
    """

    def __init__(self, calls, rows, dtype):
        self.rows = rows
        self.calls = calls
        self.flops = sum(call_flops(kernel, named) for kernel, named in calls)
        self._steps = [(kernel, tuple(named.values())) for kernel, named in calls]

    def session(self):
        """A context in which many runs are cheaper than each by itself."""
        return threads(0.0)  # no workers: kernels run in order

    def run(self):
        """Do one step."""
        for function, arguments in self._steps:
            function(*arguments)

    def run_on(self, source, x, result, out):
        """Do one step that reads x for the array source and writes out for result."""
        source[...] = x
        self.run()
        out[...] = result

    def run_epoch(self, epoch):
        """Do the steps of an epoch, of which this is a full one."""
        with self.session():
            for number in range(epoch.n_full):
                self._run_step(epoch, number, self.rows)
            if epoch.last is not None:
                epoch.last._run_step(epoch, epoch.n_full, self.rows)

    def clock(self, n_steps, threads=None):
        """Do some steps with a clock around each call; return the times of one."""
        seconds = np.zeros(len(self._steps))
        with self.session():
            start = now = perf_counter()
            for _ in range(n_steps):
                for i, (function, arguments) in enumerate(self._steps):
                    function(*arguments)
                    before, now = now, perf_counter()
                    seconds[i] += now - before
        return Times(seconds / n_steps, (now - start) / n_steps, 1)

    def _run_step(self, epoch, number, batch_size):
        if epoch.order is not None:
            start = number * batch_size
            epoch.index[: self.rows] = epoch.order[start : start + self.rows]
        epoch.step[0] += 1
        epoch.learning_rate[0] = epoch.rates[number]
        self.run()


def call_flops(kernel, named):
    """The floating-point operations of a call, of products alone; 0 for others."""
    return kernel.flops(**named) if kernel.flops else 0.0


class NativeProgram:
    """Hands the calls to the compiled executor, which has skdeep's kernels by their names.

    A kernel that is not one of skdeep's, such as a user's own loss, or whose arrays are
    not contiguous, is called back in Python.
    """

    def __init__(self, calls, rows, dtype):
        self.rows = rows
        self.calls = calls  # the compiled program has no more than their addresses
        records = [_record(kernel, named) for kernel, named in calls]
        self._program = native.extension.Program(np.dtype(dtype) == np.float32, records)

    @property
    def flops(self):
        """The floating-point operations of the matrix products of a step."""
        return sum(call_flops(kernel, named) for kernel, named in self.calls)

    def session(self):
        """A context in which many runs are cheaper than each by itself."""
        return nullcontext()

    def run(self):
        """Do one step."""
        self._program.run(self._n_threads())

    def run_on(self, source, x, result, out):
        """Do one step that reads x for the array source and writes out for result."""
        if (
            np.may_share_memory(source, result)
            or self._program.uses_python
            or not _can_stand_for(x, source)
            or not _can_stand_for(out, result)
        ):
            source[...] = x
            self.run()
            out[...] = result
            return
        # nothing is copied: the program is pointed elsewhere for a while
        self._program.move_argument(source, x)
        self._program.move_argument(result, out)
        try:
            self.run()
        finally:
            self._program.move_argument(x, source)
            self._program.move_argument(out, result)

    def run_epoch(self, epoch):
        """Do the steps of an epoch, of which this is a full one."""
        last = epoch.last
        native.extension.run_epoch(
            full=self._program,
            n_full=epoch.n_full,
            last=None if last is None else last._program,
            order=epoch.order,
            rows=self.rows,
            last_rows=0 if last is None else last.rows,
            index=epoch.index,
            step=epoch.step,
            learning_rate=epoch.learning_rate,
            rates=epoch.rates,
            threads=self._n_threads(),
        )

    def clock(self, n_steps, threads=None):
        """Do some steps with a clock around each call; return the times of one.

        The same code on the same threads as in `run`, in the same order, but for the
        clocks. A call that is done a few rows or parameters at a time is clocked each
        time.

        Parameters
        ----------
        n_steps : int
            How many steps.

        threads : int or None, default=None
            On how many threads; None for as many as `run` takes.

        Returns
        -------
        times : Times
        """
        threads = self._n_threads() if threads is None else threads
        seconds, wall, threads = self._program.clock(n_steps, threads)
        return Times(np.array(seconds) / n_steps, wall / n_steps, threads)

    def _n_threads(self):
        if self._program.cost < _SERIAL_COST:
            return 1
        return thread_limit()


def _can_stand_for(array, other):
    return (
        array.flags.c_contiguous
        and array.dtype == other.dtype
        and array.shape == other.shape
    )


def _record(kernel, named):
    """A call as the compiled executor takes it."""
    arguments = [named[name] for name in kernel.passed]
    name, first = COMPILED.get(kernel), ()
    machine = getattr(kernel, "machine", None)
    if machine is not None:  # the register machine takes the formula as arguments
        name, first = machine.name, (machine.code, machine.constants)
    return (
        name,
        (*first, *[getattr(value, "key", value) for value in arguments]),
        kernel.written_bits << len(first),
        kernel.cut_bits << len(first),
        call_flops(kernel, named),
        _Callback(kernel, tuple(named.values())),
    )


class _Callback:
    """A call in Python, with its arguments."""

    __slots__ = ("arguments", "kernel")

    def __init__(self, kernel, arguments):
        self.kernel, self.arguments = kernel, arguments

    def __call__(self):
        self.kernel(*self.arguments)
