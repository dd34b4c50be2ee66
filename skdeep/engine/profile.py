"""Where the time of a program goes: the milliseconds of each of its calls, by layer."""

from dataclasses import dataclass
from html import escape
from time import perf_counter

import numpy as np

from skdeep import kernels
from skdeep.engine.executor import Epoch, bind, call_flops
from skdeep.kernels import native

# A round takes about so long, and the shortest of some is what a program can do.
_ROUND_SECONDS, _ROUNDS, _MOST_STEPS = 0.002, 40, 10_000
_SECONDS, _FEW_ROUNDS = 0.5, 5  # as long as long steps take, but a few rounds at least
_HEADINGS = ("ms", "of time", "GFLOP/s", "of peak", "MB", "GB/s")
_NOTE = (
    "ms: of all threads together, divided by their number. GFLOP/s: of products alone. "
    "MB: all arrays of a call, each once; many are still in the cache. peak: "
)


@dataclass(frozen=True)
class CallProfile:
    """What one call of a program took, in the mean of some steps.

    Attributes
    ----------
    number : int
        Its place in the program, from 1 on, as `Network.describe` prints it.

    layer : str
        The layer that it belongs to; ``"batch"``, ``"loss"`` and ``"optimizer"`` are the
        other parts of a training step.

    kernel : str
        The name of what is called.

    seconds : float
        Of all threads together, divided by their number: those of all calls, and what
        threads waited, add up to the time of the step.

    flops : float
        The floating-point operations of products; 0 for other calls.

    nbytes : int
        The bytes of all arrays of the call, each counted once; of those that places
        point into, as many rows as are pointed at.
    """

    number: int
    layer: str
    kernel: str
    seconds: float
    flops: float
    nbytes: int


@dataclass(frozen=True)
class ProgramProfile:
    """Where the time of a program went.

    Attributes
    ----------
    title : str
        What the program does.

    rows : int
        The rows that it did it for.

    threads : int
        On how many threads.

    seconds : float
        Of one run, with a clock around each call.

    seconds_without_clocks : float
        Of one run as it is, without them.

    calls : tuple of CallProfile
        In the order of the program.

    peak : float
        The floating-point operations a second that so many threads can do at most.
    """

    title: str
    rows: int
    threads: int
    seconds: float
    seconds_without_clocks: float
    calls: tuple
    peak: float

    @property
    def waited(self):
        """The seconds in which a thread was in no call, of all threads as of the calls."""
        return max(0.0, self.seconds - sum(call.seconds for call in self.calls))

    def layers(self):
        """The calls by layer, as a dict of lists, in the order of their first calls."""
        found = {}
        for call in self.calls:
            found.setdefault(call.layer, []).append(call)
        return found

    def __repr__(self):
        return self._heading() + "\n" + _text_table(self._rows())

    def _repr_html_(self):
        return _html_table(self._heading(), self._rows())

    def _heading(self):
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        return (
            f"{self.title}, {self.rows} {'row' if self.rows == 1 else 'rows'}, {threads}: "
            f"{1e3 * self.seconds:.4g} ms, without the clocks "
            f"{1e3 * self.seconds_without_clocks:.4g} ms"
        )

    def _rows(self):
        """Whether each row is of a whole layer, its name and its cells."""
        digits = len(str(len(self.calls)))
        for layer, calls in self.layers().items():
            yield True, layer, self._cells(calls)
            for call in calls:
                yield False, f"{call.number:>{digits}}. {call.kernel}", self._cells([call])
        yield True, "in no call", (*self._time_cells(self.waited), *[""] * 4)
        yield True, "all", self._cells(self.calls, self.seconds)

    def _time_cells(self, seconds):
        return f"{1e3 * seconds:.4f}", f"{seconds / self.seconds:.1%}"

    def _cells(self, calls, seconds=None):
        seconds = sum(call.seconds for call in calls) if seconds is None else seconds
        flops = sum(call.flops for call in calls)
        nbytes = sum(call.nbytes for call in calls)
        rate, speed = (value / max(seconds, 1e-12) for value in (flops, nbytes))
        products = (f"{rate / 1e9:.1f}", f"{rate / self.peak:.0%}") if flops else ("", "")
        memory = f"{nbytes / 1e6:.4g}", f"{speed / 1e9:.1f}"
        return (*self._time_cells(seconds), *products, *memory)


@dataclass(frozen=True)
class NetworkProfile:
    """Where the time of a training step goes, and that of a prediction.

    Print it, or end a notebook's cell with it.

    Attributes
    ----------
    training, prediction : ProgramProfile
        Of a step on a batch, and of a prediction for as many rows.

    kernels : str
        Which kernels ran.

    peak : str
        How the most operations a second were measured, of which shares are shown.
    """

    training: ProgramProfile
    prediction: ProgramProfile
    kernels: str
    peak: str

    def __repr__(self):
        tables = [f"{self.training!r}", f"{self.prediction!r}"]
        return "\n\n".join([f"kernels: {self.kernels}", *tables, _NOTE + self.peak])

    def _repr_html_(self):
        tables = "".join(p._repr_html_() for p in (self.training, self.prediction))
        return (
            f"<p>kernels: {escape(self.kernels)}</p>{tables}"
            f"<p>{escape(_NOTE + self.peak)}</p>"
        )


def profile_programs(training, prediction, rows):
    """Profile the program of a training step and that of a prediction.

    Parameters
    ----------
    training, prediction : Program
        The programs, whose inputs have memory. They are run many times.

    rows : int
        The rows of a batch.

    Returns
    -------
    profile : NetworkProfile
    """
    profiles, peaks, how = [], {}, ""
    titles = "training step", "prediction"
    for title, program in zip(titles, (training, prediction), strict=True):
        bound = program.bind(program.allocate(rows), rows)
        times, plain = _best_times(bound)
        if times.threads not in peaks:
            peaks[times.threads], how = _peak(program.dtype, times.threads)
        calls = tuple(
            CallProfile(
                number,
                call.part,
                call.kernel.__name__,
                float(seconds) / times.threads,
                call_flops(kernel, named),
                call_bytes(kernel, named),
            )
            for number, (call, (kernel, named), seconds) in enumerate(
                zip(program.calls, bound.calls, times.seconds, strict=True), 1
            )
        )
        peak = peaks[times.threads]
        profiles.append(
            ProgramProfile(title, rows, times.threads, times.wall, plain, calls, peak)
        )
    rates = ", ".join(f"{p / 1e9:.0f} GFLOP/s on {t}" for t, p in sorted(peaks.items()))
    last = "thread" if max(peaks) == 1 else "threads"
    return NetworkProfile(*profiles, native.describe(), f"{how}, {rates} {last}.")


def call_bytes(kernel, named):
    """The bytes of all arrays of a call but scratch memory, each counted once.

    Of an array that another argument points into, so many rows count as are pointed at,
    and of all samples, of which a kernel gathers some, no more than it writes.
    """
    arrays = {
        name: value
        for name, value in named.items()
        if isinstance(value, np.ndarray) and name not in kernel.scratch
    }
    pointed = {
        argument.below: arrays[name].size
        for name, argument in kernel.declared.items()
        if argument.below and name in arrays
    }
    written = {n: a for n, a in arrays.items() if n in kernel.writes}
    gathered = max((a.size for a in written.values()), default=0)
    total = 0
    for name, value in arrays.items():
        axes = kernel.declared[name].axes if name in kernel.declared else ()
        if axes and axes[0] in pointed and len(value):
            total += value.nbytes // len(value) * pointed[axes[0]]
        elif "index" in arrays and name not in written:
            total += value.itemsize * min(value.size, gathered)
        else:
            total += value.nbytes
    return total


def seconds_of_steps(bound, n_steps):
    """The seconds of a step of a bound program, in the mean of so many."""
    epoch = Epoch(
        n_full=n_steps,
        last=None,
        order=None,
        index=np.zeros(0, np.int64),
        step=np.zeros(1, np.int64),
        learning_rate=np.zeros(1),
        rates=np.zeros(n_steps),
    )
    start = perf_counter()
    bound.run_epoch(epoch)
    return (perf_counter() - start) / n_steps


def _best_times(bound):
    """The times of the shortest of some rounds, and the seconds of a step without clocks.

    Both take turns, as a machine that does other work is not always as fast.
    """
    n_steps, n_rounds = _rounds(bound)
    clocked, plain = [], []
    for _ in range(n_rounds):
        clocked.append(bound.clock(n_steps))
        plain.append(seconds_of_steps(bound, n_steps))
    return min(clocked, key=lambda times: times.wall), min(plain)


def _rounds(bound, threads=None):
    """How many steps a round has, and how many rounds there are.

    Rounds are short: on a machine with other work, some are then undisturbed.
    """
    wall = min(bound.clock(1, threads).wall for _ in range(3))
    n_steps = int(min(max(_ROUND_SECONDS / wall, 1), _MOST_STEPS))
    n_rounds = int(min(max(_SECONDS / (n_steps * wall), _FEW_ROUNDS), _ROUNDS))
    return n_steps, n_rounds


def _peak(dtype, threads):
    """The operations a second of so many threads at most, and how they were measured."""
    if native.ENABLED:
        x = np.ones((64 * threads, 192), dtype)
        named = {"x": x, "factor": 0.999, "summand": 0.001, "rounds": 1000}
        call, how = (kernels.multiply_add, named), "multiplications and additions alone"
    else:
        a = np.ones((1024, 1024), dtype)
        named = {"x": a, "kernel": a, "bias": None, "out": np.empty_like(a)}
        call, how = (kernels.dense_forward, named), "a large product of NumPy's"
    bound = bind([call], len(named["x"]), dtype)
    n_steps, n_rounds = _rounds(bound, threads)
    seconds = min(bound.clock(n_steps, threads).seconds[0] for _ in range(n_rounds))
    return threads * call_flops(*call) / seconds, how


def _text_table(rows):
    lines = [("", _HEADINGS)]
    lines += [(name if whole else f"  {name}", cells) for whole, name, cells in rows]
    first = max(len(name) for name, _ in lines)
    widths = [max(len(cells[i]) for _, cells in lines) for i in range(len(_HEADINGS))]
    return "\n".join(
        "  ".join([f"{name:<{first}}", *map(str.rjust, cells, widths)]).rstrip()
        for name, cells in lines
    )


def _html_table(caption, rows):
    def line(tag, name, cells, style=""):
        inner = "".join(f'<{tag} style="text-align:right">{c}</{tag}>' for c in cells)
        return f'<tr><{tag} style="text-align:left{style}">{name}</{tag}>{inner}</tr>'

    body = "".join(
        line("th", escape(name), cells)
        if whole
        else line("td", escape(name), cells, ";padding-left:2em")
        for whole, name, cells in rows
    )
    return (
        f"<table><caption>{escape(caption)}</caption>"
        f"<thead>{line('th', '', _HEADINGS)}</thead><tbody>{body}</tbody></table>"
    )
