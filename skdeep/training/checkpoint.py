"""Checkpoint files: all that training needs to go on, and never half of it.

A file is a NumPy archive (.npz): arrays, and a header in JSON that says what they are. It
is written beside its place, forced to the disk, and then renamed, which happens as a whole
or not at all.
"""

import hashlib
import json
import os
import zipfile
from contextlib import suppress

import joblib
import numpy as np
from scipy.sparse import csr_array, issparse

from skdeep.training.averaging import AveragedWeights
from skdeep.training.series import Runs, Series
from skdeep.training.state import Snapshot, name_of

_FORMAT = 2


class CheckpointFile:
    """The file from which one training can go on.

    Parameters
    ----------
    path : Path
        Where it is.

    description : dict of str to str
        The parameters and the data of the training, from `describe_training`.
    """

    def __init__(self, path, description):
        fingerprint = fingerprint_of(description)
        self.path = path.with_name(path.name.replace("{fingerprint}", fingerprint))
        self.description = description
        self._unfinished = self.path.with_name(f".{self.path.name}.{fingerprint}.partial")

    def write(self, network, state):
        """Replace the file by one of this network and training state."""
        arrays = [network.parameters, network.state]
        header = {
            "format": _FORMAT,
            "description": self.description,
            "state": {name: _pack(value, arrays) for name, value in vars(state).items()},
        }
        text = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
        named = {f"array_{number}": array for number, array in enumerate(arrays)}
        try:
            with open(self._unfinished, "wb") as file:
                np.savez(file, header=text, **named)
                file.flush()
                os.fsync(file.fileno())
            os.replace(self._unfinished, self.path)
        except BaseException:
            self._unfinished.unlink(missing_ok=True)
            raise
        _force_to_disk(self.path.parent)

    def restore(self, network, state):
        """Put a network and a training state where the file has them.

        Raises
        ------
        ValueError
            Where the file is of another training, or cannot be read.
        """
        try:
            with np.load(self.path, allow_pickle=False) as file:
                header = json.loads(file["header"].tobytes())
                arrays = [file[f"array_{i}"] for i in range(len(file.files) - 1)]
        except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
            raise ValueError(
                f"The checkpoint {self.path} cannot be read ({error}). Delete it to start "
                "anew."
            ) from error
        if header.get("format") != _FORMAT:
            raise ValueError(
                f"The checkpoint {self.path} is of another version of skdeep. Go on with "
                "that version, or delete the file to start anew."
            )
        self._check(header["description"])
        network.parameters[...], network.state[...] = arrays[:2]
        for name, value in header["state"].items():
            setattr(state, name, _unpack(value, arrays))

    def remove(self):
        """Remove the file, and what a killed process left of its successor."""
        self.path.unlink(missing_ok=True)
        self._unfinished.unlink(missing_ok=True)

    def _check(self, other):
        mine = self.description
        differences = [
            f"{name} was {other.get(name)}, is {mine.get(name)}"
            for name in [*mine, *(other.keys() - mine.keys())]
            if other.get(name) != mine.get(name)
        ]
        if differences:
            raise ValueError(
                f"The checkpoint {self.path} is of another training: "
                f"{'; '.join(differences)}. Fit with the same parameters and data to go "
                "on, or delete the file to start anew. Where one Checkpoint serves several "
                "trainings, as in a grid search, put {fingerprint} into its path."
            )


def describe_training(estimator, X, y, metadata):
    """What decides how a training goes, by name, in words that can be compared.

    Parameters
    ----------
    estimator : estimator
        What is trained; its training state is that before.

    X, y : array-like
        The training data.

    metadata : dict of str to array-like
        What else `fit` was given.

    Returns
    -------
    description : dict of str to str
    """
    parameters = estimator.get_params(deep=True).items()
    description = {k: name_of(value) for k, value in parameters if k != "verbose"}
    for name, values in {"X": X, "y": y, **metadata}.items():
        description[name] = _describe_values(values)
    description["epochs before"] = str(estimator._training_state.epoch)
    return description


def fingerprint_of(description):
    """A short word that is another one for every other training."""
    text = json.dumps(description, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _describe_values(values):
    if issparse(values):
        values = csr_array(values)
        parts = values.data, values.indices, values.indptr
    else:
        parts = values = np.asarray(values)
    return f"{values.dtype} {values.shape} {joblib.hash(parts)}"


def _pack(value, arrays):
    """A value for JSON; its arrays are appended to a list."""
    if isinstance(value, np.ndarray):
        arrays.append(value)
        return {"array": len(arrays) - 1}
    if isinstance(value, Snapshot):
        parts = [value.parameters, value.statistics, value.average]
        return {"snapshot": [_pack(part, arrays) for part in parts]}
    if isinstance(value, Series):
        return {"series": _pack(value.values, arrays)}
    if isinstance(value, Runs):
        return {"runs": [_pack(part, arrays) for part in (value.values, value.counts)]}
    if isinstance(value, AveragedWeights):
        parts = [value.parameters, value.state, value.count]
        return {"average": [_pack(part, arrays) for part in parts]}
    if isinstance(value, dict):
        return {"dict": {name: _pack(part, arrays) for name, part in value.items()}}
    if isinstance(value, tuple):
        return {"tuple": _pack(list(value), arrays)}
    if isinstance(value, list):
        return [_pack(part, arrays) for part in value]
    return value


def _unpack(value, arrays):
    if isinstance(value, list):
        return [_unpack(part, arrays) for part in value]
    if not isinstance(value, dict):
        return value
    match value:
        case {"array": number}:
            return arrays[number]
        case {"snapshot": parts}:
            snapshot = Snapshot.__new__(Snapshot)
            snapshot.parameters, snapshot.statistics, snapshot.average = _unpack(
                parts, arrays
            )
            return snapshot
        case {"series": values}:
            return Series(_unpack(values, arrays))
        case {"runs": parts}:
            return Runs(*_unpack(parts, arrays))
        case {"average": parts}:
            return AveragedWeights(*_unpack(parts, arrays))
        case {"dict": parts}:
            return {name: _unpack(part, arrays) for name, part in parts.items()}
        case {"tuple": parts}:
            return tuple(_unpack(parts, arrays))


def _force_to_disk(folder):
    """Make a renaming last, on systems where a folder can be forced to the disk."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
