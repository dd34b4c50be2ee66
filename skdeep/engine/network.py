"""A network: layers, a loss and an optimizer on one flat vector of parameters.

All parameters live in one vector, those that weight decay acts on first, so that an
optimizer's step, the decay, clipping and a copy of the model are each one call.
"""

import math
from copy import copy
from dataclasses import replace

import numpy as np
from scipy.linalg.blas import dnrm2
from scipy.sparse import issparse

from skdeep import kernels
from skdeep.engine.batch import BatchPlan, as_samples, write_batch
from skdeep.engine.inference import (
    ForwardPass,
    ForwardPasses,
    run_blocks,
    sparse_blocks,
)
from skdeep.engine.profile import profile_programs
from skdeep.engine.profile_data import data_to_profile
from skdeep.engine.program import ROWS, Buffer, Calls, Program, Scope, TrainingStep
from skdeep.engine.threads import single_threaded_blas
from skdeep.engine.update import Settings, Weights, write_update
from skdeep.validation.messages import plain

# What the counter-based random numbers are for; layers are numbered from the last on.
SHUFFLING, INITIAL_WEIGHTS, _FIRST_LAYER = 0, 1, 2
# Rows that an evaluation of the objective handles at a time.
_OBJECTIVE_BLOCK = 1024


class StepMemory:
    """The arrays of a training run besides the network's own, and its random numbers.

    Parameters
    ----------
    network : Network
        What is trained.

    key : array-like of two integers
        Decides all random numbers.

    batch_size : int
        The rows of a full batch.
    """

    def __init__(self, network, key, batch_size):
        optimizer = network.optimizer
        self.stream = kernels.PhiloxStream(key)
        self.gradient = np.zeros_like(network.parameters)
        self.step = np.zeros(1, dtype=np.int64)
        self.steps_before_optimizer = 0
        self.learning_rate = np.zeros(1)
        self.total = np.zeros(1)
        self.index = np.zeros(batch_size, dtype=np.intp)
        self.optimizer_state = {
            **{k: np.full_like(self.gradient, v) for k, v in optimizer.slots.items()},
            **{k: np.full(1, v) for k, v in optimizer.scalars.items()},
        }
        averaging = network.settings.weight_averaging
        self.average = None if averaging is None else network.parameters.copy()


class _Arrays:
    """Named arrays, views of one flat vector."""

    def __init__(self, shapes):
        self.shapes = shapes
        self.ranges, stop = {}, 0
        for address, shape in shapes.items():
            start, stop = stop, stop + math.prod(shape)
            self.ranges[address] = slice(start, stop)
        self.size = stop

    def view(self, vector, address):
        return vector[self.ranges[address]].reshape(self.shapes[address])


class Network:
    """Layers on one flat vector of parameters, and the programs that train and apply them.

    Parameters
    ----------
    layers : sequence of (str, Layer)
        The layers and their names, from input to output.

    loss : Loss
        The loss, resolved for the type of target.

    optimizer : Optimizer
        The optimizer.

    input_shape : tuple of int
        The shape of one sample.

    dtype : dtype
        float32 or float64.

    settings : Settings or None, default=None
        Weight decay, gradient clipping and the like; None for none of them.

    Attributes
    ----------
    parameters : ndarray of shape (n_parameters,)
        All trained numbers; those that weight decay acts on come first.

    n_decayed : int
        How many of them weight decay acts on.

    statistics : ndarray of shape (n_statistics,)
        The statistics of batch normalization.

    shapes : list of tuple of int
        The output shape of each layer.

    least_rows : int
        The fewest rows of a batch that training can learn from: 2 with batch
        normalization, unless samples have several places.

    plan : BatchPlan or None
        How training gathered its batches.
    """

    def __init__(self, layers, loss, optimizer, *, input_shape, dtype, settings=None):
        self.layers = tuple(layers)
        self.loss = loss
        self.optimizer = optimizer
        self.input_shape = tuple(input_shape)
        self.dtype = np.dtype(dtype)
        self.settings = Settings() if settings is None else settings
        self.plan = None
        self.shapes, self.least_rows = [], 1
        self._specifications, self._states, shape = {}, {}, self.input_shape
        for name, layer in self.layers:
            self.shapes.append(_output_shape(name, layer, shape))
            self.least_rows = max(self.least_rows, layer.least_rows(shape))
            for key, specification in layer.parameters(shape).items():
                self._specifications[name, key] = specification
            for key, state in layer.state(shape).items():
                self._states[name, key] = state
            shape = self.shapes[-1]

        decayed = {k: p.shape for k, p in self._specifications.items() if p.decays}
        others = {k: p.shape for k, p in self._specifications.items() if not p.decays}
        self.n_decayed = sum(math.prod(shape) for shape in decayed.values())
        self._arrays = _Arrays(decayed | others)
        self._statistics_arrays = _Arrays({k: s.shape for k, s in self._states.items()})
        self.parameters = self._zeros()
        self.statistics = np.zeros(self._statistics_arrays.size, dtype=self.dtype)
        self._forward_passes = None

    def _zeros(self):
        try:
            return np.zeros(self._arrays.size, dtype=self.dtype)
        except (MemoryError, ValueError) as error:
            shapes = self._arrays.shapes
            layer, name = max(shapes, key=lambda address: math.prod(shapes[address]))
            raise ValueError(
                f"There is no memory for {self._arrays.size} parameters: the {name} of the "
                f"layer {layer!r} is of shape {shapes[layer, name]}. Make it smaller."
            ) from error

    # --- parameters ---------------------------------------------------------------

    def initialize(self, key):
        """Draw all parameters, and reset the statistics, from a key of two integers."""
        stream = kernels.PhiloxStream(key)
        with single_threaded_blas():  # an initializer may decompose a matrix
            for index, (address, parameter) in enumerate(self._specifications.items()):
                generator = stream.at(INITIAL_WEIGHTS, index)
                values = parameter.initializer.sample(generator, parameter.shape)
                with np.errstate(over="ignore"):
                    self.view(*address)[...] = values
                if not math.isfinite(_sum_of_squares(self.view(*address))):
                    raise ValueError(
                        f"{parameter.initializer!r} draws numbers of up to "
                        f"{np.abs(values).max():.3g} for the {address[1]} of the layer "
                        f"{address[0]!r}: squares of these are no numbers of {self.dtype} "
                        "any more. Choose an initializer that draws smaller ones."
                    )
        self.reset_statistics()

    def reset_statistics(self):
        """Set the statistics to what they are before training."""
        for address, state in self._states.items():
            self._statistics_arrays.view(self.statistics, address)[...] = state.initial

    def view(self, layer, name):
        """A layer's parameter or statistic, as an array that shares the vector's memory."""
        if (layer, name) in self._states:
            return self._statistics_arrays.view(self.statistics, (layer, name))
        return self._arrays.view(self.parameters, (layer, name))

    def parameter_names(self):
        """The (layer, name) of every parameter, from input to output."""
        return list(self._specifications)

    def kernel_names(self):
        """The (layer, name) of every parameter that weight decay acts on."""
        return [a for a, p in self._specifications.items() if p.decays]

    def kernel_ranges(self):
        """Which part of the vector of parameters are each layer's kernels.

        Returns
        -------
        ranges : dict of str to slice
            For every layer that has some, from input to output.
        """
        ranges = {}
        for address, specification in self._specifications.items():
            if specification.decays:
                here = self._arrays.ranges[address]
                start = ranges.get(address[0], here).start
                ranges[address[0]] = slice(start, here.stop)
        return ranges

    def penalty(self):
        """The L1 penalty, and unless the decay is decoupled the L2 penalty."""
        decayed, penalty = self.parameters[: self.n_decayed], 0.0
        # not BLAS products: their sums would depend on the number of threads
        with np.errstate(over="ignore", invalid="ignore"):
            if self.settings.weight_decay and not self.optimizer.decoupled_weight_decay:
                squares = float(np.sum(decayed * decayed))
                penalty += 0.5 * self.settings.weight_decay * squares
            if self.settings.l1_penalty:
                penalty += self.settings.l1_penalty * float(np.sum(np.abs(decayed)))
        return penalty

    def is_finite(self):
        """Whether statistics and squares of parameters are, and the penalty on them."""
        squares = _sum_of_squares(self.parameters)
        root = math.sqrt(squares * self.parameters.size) if squares < 1e300 else squares
        # at most, by Cauchy and Schwarz: `penalty` would look at all parameters again
        largest = self.settings.l1_penalty * root
        if not self.optimizer.decoupled_weight_decay:
            largest += 0.5 * self.settings.weight_decay * squares
        return math.isfinite(largest) and bool(np.isfinite(self.statistics).all())

    def layer_norms(self, vector):
        """The norm of each layer's part of a vector such as the gradient.

        Parameters
        ----------
        vector : ndarray of shape (n_parameters,)
            As long as the parameters.

        Returns
        -------
        norms : dict of str to float
            By the names of the layers that have parameters, from input to output.
        """
        norms = {}
        for address in self._specifications:
            part = vector[self._arrays.ranges[address]].astype(np.float64)
            # BLAS scales before it squares, so that squares do not overflow
            norms[address[0]] = math.hypot(norms.get(address[0], 0.0), dnrm2(part))
        return norms

    def copy(self):
        """A network with weights and statistics of its own, equal to these."""
        twin = copy(self)
        twin.parameters, twin.statistics = self.parameters.copy(), self.statistics.copy()
        twin._forward_passes = None
        return twin

    def __getstate__(self):
        return self.__dict__ | {"_forward_passes": None}

    # --- training -----------------------------------------------------------------

    def training_program(self, plan, data, memory):
        """The program of one training step: batch, forward, backward, update."""
        calls, training = self._gradient_calls(plan, data, memory)
        decayed = {".".join(a): self.view(*a) for a in self.kernel_names()}
        weights = Weights(self.parameters, self.n_decayed, decayed)
        write_update(calls, training, weights, self.optimizer, self.settings, memory)
        return Program(calls, self.dtype)

    def gradient_program(self, plan, data, memory):
        """The program that computes the loss and its gradient, without an update."""
        return Program(self._gradient_calls(plan, data, memory)[0], self.dtype)

    def statistics_program(self, plan, data, memory):
        """The program that adds a batch to statistics that weigh all batches alike."""
        layers = [layer.with_plain_statistics() for _, layer in self.layers]
        # the layers behind the last that has statistics do not matter
        names = [name for name, _ in self._states]
        n = 1 + max(i for i, (name, _) in enumerate(self.layers) if name in names)
        calls = Calls()
        self._write_forward(calls, layers[:n], plan, data, memory)
        return Program(calls, self.dtype)

    def objective(self, data, rows=None):
        """The cost and its gradient on all data, as a function of the parameters.

        What backpropagation computes can be checked with it against differences of the
        cost. The network is left at the last point that was evaluated, with batch
        normalization's statistics there.

        Parameters
        ----------
        data : TrainingData
            The samples, with weights of sum 1 over the rows that count.

        rows : ndarray of int or None, default=None
            The numbers of the rows that count; None for all.

        Returns
        -------
        objective : callable
            Takes a vector of parameters; returns the mean loss plus the penalty, and
            the gradient.
        """
        rows = np.arange(data.x.shape[0]) if rows is None else rows
        # blocks bound the memory, but batch normalization must see all samples at once
        block = len(rows) if self.statistics.size else min(len(rows), _OBJECTIVE_BLOCK)
        memory = StepMemory(self, (0, 0), block)
        memory.step[0] = 1
        plan = BatchPlan.of(data, block, whole=False)
        program = self.gradient_program(plan, data, memory)
        arrays = program.allocate(block)
        starts = range(0, len(rows), block)
        bounds = [program.bind(arrays, min(block, len(rows) - i)) for i in starts[-2:]]
        coupled = not self.optimizer.decoupled_weight_decay
        rate = self.settings.weight_decay if coupled else 0.0
        l1_penalty = self.settings.l1_penalty

        def objective(parameters):
            self.parameters[...] = parameters
            memory.total[0] = 0.0
            gradient = np.zeros(len(parameters))
            with bounds[0].session():
                for start in starts:
                    bound = bounds[-1] if start == starts[-1] else bounds[0]
                    memory.index[: bound.rows] = rows[start : start + bound.rows]
                    bound.run()
                    # a batch divides by its rows
                    memory.gradient *= bound.rows
                    gradient += memory.gradient
            decayed = self.parameters[: self.n_decayed]
            gradient[: self.n_decayed] += rate * decayed + l1_penalty * np.sign(decayed)
            return memory.total[0] + self.penalty(), gradient

        return objective

    def scopes(self, calls, training=None, gradient=None):
        """A scope for each layer, with its variables as buffers."""
        for index, (name, _) in enumerate(self.layers):
            addresses = [a for a in self._specifications if a[0] == name]
            states = [a for a in self._states if a[0] == name]
            yield Scope(
                name,
                calls,
                training,
                index=_FIRST_LAYER + index,
                parameters=_buffers(self._arrays, self.parameters, addresses),
                gradients=_buffers(self._arrays, gradient, addresses, "d_"),
                state=_buffers(self._statistics_arrays, self.statistics, states),
            )

    def _gradient_calls(self, plan, data, memory):
        calls, layers = Calls(), [layer for _, layer in self.layers]
        out, target, scopes, training = self._write_forward(
            calls, layers, plan, data, memory
        )
        scope, weight = Scope("loss", calls, training), training.weight
        losses, d_out = self.loss.emit(scope, out, target, weight)
        total = Buffer("total", (1,), array=memory.total)
        scope.call(kernels.sum_losses, losses=losses, weight=weight, total=total)
        # nothing below the first layer with parameters needs a gradient
        first = next(i for i, scope in enumerate(scopes) if scope.parameters)
        for i in range(len(layers) - 1, first - 1, -1):
            layers[i].backward_parameters(scopes[i], d_out)
            if i > first:
                d_out = layers[i].backward_input(scopes[i], d_out)
        return calls, training

    def _write_forward(self, calls, layers, plan, data, memory):
        """Write the batch and the first layers; return what the way back needs."""
        self._check_samples(data.x)
        training = TrainingStep(
            memory.stream,
            plan.batch_size,
            Buffer("step", (1,), array=memory.step),
            Buffer("learning_rate", (1,), array=memory.learning_rate),
        )
        index = Buffer("index", (ROWS,), array=memory.index)
        x, target, weight = write_batch(calls, training, plan, data, index)
        training = replace(training, weight=weight)
        calls.reserve(x)
        scopes = list(self.scopes(calls, training, memory.gradient))
        out = x
        for layer, scope in zip(layers, scopes, strict=False):
            out = layer.forward(scope, out)
        return out, target, scopes, training

    def _check_samples(self, x):
        if tuple(x.shape[1:]) != self.input_shape:
            raise ValueError(
                f"x has samples of shape {tuple(x.shape[1:])}, but the network takes "
                f"{self.input_shape}."
            )

    # --- prediction ---------------------------------------------------------------

    def raw_outputs(self, x):
        """The outputs of the last layer for each row, before the loss's inverse link.

        Parameters
        ----------
        x : ndarray or csr_array of shape (n_samples, n_features)
            The inputs.

        Returns
        -------
        z : ndarray of shape (n_samples, n_outputs)
        """
        self._check_samples(x)
        z = np.empty((x.shape[0], *self.shapes[-1]), dtype=self.dtype)
        if issparse(x):
            for rows, block in sparse_blocks(x):
                program, out = self._inference_program(block)
                compiled = ForwardPass(program, block, out, rows.stop - rows.start)
                with compiled.session():
                    z[rows] = compiled.run(compiled.rows)
            return z
        if self._forward_passes is None:
            self._forward_passes = self._new_forward_passes()
        self._forward_passes.write_outputs(x, z)
        return z

    def _new_forward_passes(self):
        source = Buffer("x", (ROWS, *self.input_shape))
        program, out = self._inference_program(source)
        width = math.prod(self.input_shape) + sum(map(math.prod, self.shapes))
        return ForwardPasses(program, source, out, width)

    def _inference_program(self, x):
        """The program of prediction for some inputs, and the buffer of its outputs."""
        calls, out = Calls(), x
        calls.reserve(x)
        for (_, layer), scope in zip(self.layers, self.scopes(calls), strict=True):
            out = layer.infer(scope, out)
        return Program(calls, self.dtype), out

    def profile(self, X, y, *, batch_size=None):
        """Where the time of a training step and of a prediction goes, call by call.

        Both are run many times, on a copy of this network, with a clock around each
        call: milliseconds, floating-point operations a second and their share of what
        this machine can do, bytes and bytes a second, by layer. Nothing of the network
        changes. The shortest of some rounds is shown.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, ...)
            Samples as the network takes them, of `input_shape` or of as many numbers in
            another shape. Take data like those of training: zeros may be faster.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets. Which class is which does not matter here.

        batch_size : int or None, default=None
            The rows of the step and of the prediction; None for those of a batch of the
            training, or for all rows of X if these are fewer.

        Returns
        -------
        profile : NetworkProfile
            Its text is a table for the step and one for the prediction; in a notebook
            they are HTML. `training` and `prediction` have the numbers.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from skdeep import MLPClassifier
        >>> X, y = load_digits(return_X_y=True)
        >>> model = MLPClassifier((32,), max_iter=3, tol=1, random_state=0).fit(X, y)
        >>> profile = model.network_.profile(X, y, batch_size=64)
        >>> print(*profile.training.layers(), sep=", ")
        batch, dense_1, relu_1, output, loss, optimizer
        >>> [call.kernel for call in profile.prediction.calls]
        ['dense_forward', 'relu_forward', 'dense_forward']
        >>> profile.prediction.calls[0].flops == 2 * 64 * 64 * 32
        True
        """
        data, plan = data_to_profile(
            X,
            y,
            batch_size,
            plan=self.plan,
            input_shape=self.input_shape,
            output_shape=self.shapes[-1],
            dtype=self.dtype,
        )
        twin, rows = self.copy(), plan.batch_size
        memory = StepMemory(twin, (0, 0), rows)
        memory.step[0] = 1  # the learning rate stays zero: every step is the first
        order = np.random.default_rng(0).permutation(data.x.shape[0])
        memory.index[...] = order[:rows]
        training = twin.training_program(plan, data, memory)
        return profile_programs(training, twin._prediction_of(data.x[:rows]), rows)

    def _prediction_of(self, x):
        """The program of prediction for these samples."""
        if issparse(x):
            ((_, source),) = sparse_blocks(x, x.shape[0])
        else:
            x = np.ascontiguousarray(x, self.dtype)
            source = Buffer("x", (ROWS, *self.input_shape), array=x)
        return self._inference_program(source)[0]

    def activations(self, X, layer):
        """The outputs of a layer for every sample, as in prediction.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            The samples, of `input_shape` or of as many numbers in another shape.

        layer : str
            The name of a layer, as `summary` shows it; one inside of another is
            ``outer.inner``.

        Returns
        -------
        outputs : ndarray of shape (n_samples, ...)
        """
        X = as_samples(X, self.input_shape)
        calls = Calls(keeps_all=True)
        source = out = Buffer("x", (ROWS, *self.input_shape))
        for (_, part), scope in zip(self.layers, self.scopes(calls), strict=True):
            out = calls.outputs[scope.name] = part.infer(scope, out)
            if layer in calls.outputs:
                break
        else:
            raise ValueError(
                f"There is no layer {layer!r}; there are {', '.join(calls.outputs)}."
            )
        wanted = calls.outputs[layer]
        outputs = np.empty((len(X), *wanted.shape[1:]), self.dtype)
        inputs = {source: X}
        for rows, arrays in run_blocks(Program(calls, self.dtype), inputs):
            outputs[rows] = wanted.of(arrays[wanted.owner])[: rows.stop - rows.start]
        return outputs

    # --- what a person reads ------------------------------------------------------

    def describe(self):
        """The calls of one training step, in order, with the shapes of their arrays.

        Returns
        -------
        description : str
        """
        return self._printed_program().describe(self.plan.batch_size)

    def summary(self):
        """The layers with their shapes and parameters, and the memory they take.

        Returns
        -------
        summary : str
        """
        rows = [
            ("layer", "type", "output shape", "parameters"),
            ("input", "", str(self.input_shape), "0"),
        ]
        for (name, layer), shape in zip(self.layers, self.shapes, strict=True):
            count = sum(
                math.prod(p.shape)
                for (owner, _), p in self._specifications.items()
                if owner == name
            )
            rows.append((name, type(layer).__name__, str(shape), f"{count:,}"))
        widths = [max(len(row[i]) for row in rows) for i in range(4)]
        lines = [
            "  ".join(
                [f"{cell:<{w}}" for cell, w in zip(row[:3], widths[:3], strict=True)]
                + [f"{row[3]:>{widths[3]}}"]
            )
            for row in rows
        ]
        rule = "-" * len(lines[0])
        nbytes, slots = self.parameters.nbytes, len(self.optimizer.slots)
        lines = [lines[0], rule, *lines[1:], rule]
        lines.append(
            f"{self.parameters.size:,} parameters ({self.dtype.name}): {_bytes(nbytes)}"
        )
        if self.statistics.size:
            lines.append(f"{self.statistics.size:,} running statistics, not trained")
        if self.plan is not None:
            batch = self._printed_program().nbytes(self.plan.batch_size)
            lines.append(
                f"training: {_bytes(nbytes * (1 + slots))} for the gradient and the "
                f"optimizer, {_bytes(batch)} for a batch of {self.plan.batch_size}"
            )
        return "\n".join(lines)

    def _printed_program(self):
        if self.plan is None:
            raise ValueError(
                "This network was not trained yet, so the calls of its training step "
                "are not known: fit the estimator first."
            )
        data = self.plan.no_data(self.input_shape, self.shapes[-1], self.dtype)
        memory = StepMemory(self, (0, 0), 0)
        return self.training_program(self.plan, data, memory)


def _output_shape(name, layer, input_shape):
    try:
        return tuple(layer.output_shape(input_shape))
    except ValueError as error:
        raise ValueError(
            f"The layer {name!r}, {plain(layer)!r}, cannot take inputs of shape "
            f"{input_shape}: {error}"
        ) from error


def _buffers(arrays, vector, addresses, prefix=""):
    """Buffers for named parts of a vector; without a vector, none."""
    if vector is None:
        return {}
    return {
        key: Buffer(
            f"{owner}.{prefix}{key}",
            arrays.shapes[owner, key],
            array=arrays.view(vector, (owner, key)),
        )
        for owner, key in addresses
    }


def _bytes(count):
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"


def _sum_of_squares(array):
    """The sum of the squares of an array's numbers, or infinity."""
    vector = array.reshape(-1)
    with np.errstate(over="ignore"):
        return float(np.dot(vector, vector))
