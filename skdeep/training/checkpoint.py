"""Checkpoint files: all that training needs to go on, and never half of it.

A file is a NumPy archive (.npz): arrays, a header in JSON that says what they are, and a
digest of all of it. It is written beside its place, forced to the disk, and then renamed,
which happens as a whole or not at all.
"""

import hashlib
import json
import os
import secrets
from contextlib import suppress
from pathlib import Path

import joblib
import numpy as np
from scipy.sparse import csr_array, issparse

from skdeep.training.averaged_weights import AveragedWeights
from skdeep.training.series import Runs, Series
from skdeep.training.state import Snapshot, name_of
from skdeep.versions import __version__


class CheckpointFile:
    """The file from which one training can go on.

    Parameters
    ----------
    path : path-like
        Where it is; ``{fingerprint}`` in it stands for a word of this training's own.

    owner : str
        The class of the estimator, from `class_name`.

    description : dict of str to str
        The parameters and the data of the training, from `describe_training`.
    """

    def __init__(self, path, owner, description):
        fingerprint = fingerprint_of({"class": owner, **description})
        self.path = Path(str(path).replace("{fingerprint}", fingerprint))
        self.owner = owner
        self.description = description
        # a name of its own for each fit, which other processes may do at the same time
        self._beginning = f".{self.path.name}.{fingerprint}."
        self._unfinished = self.path.with_name(
            f"{self._beginning}{secrets.token_hex(8)}.partial"
        )

    def write(self, network, state):
        """Replace the file by one of this network and training state.

        Raises
        ------
        OSError
            Where it cannot be written; the file is then what it was before.
        """
        arrays = [network.parameters, network.statistics]
        header = {
            "skdeep": __version__,
            "class": self.owner,
            "description": self.description,
            "state": {name: _pack(value, arrays) for name, value in vars(state).items()},
        }
        text = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
        named = {f"array_{number}": array for number, array in enumerate(arrays)}
        try:
            with open(self._unfinished, "wb") as file:
                np.savez(file, header=text, digest=_digest(text, arrays), **named)
                file.flush()
                os.fsync(file.fileno())
            # it is gone where another process has come to the end of the same training
            with suppress(FileNotFoundError):
                os.replace(self._unfinished, self.path)
        except BaseException:
            self._unfinished.unlink(missing_ok=True)
            raise
        _force_to_disk(self.path.parent)

    def restore(self, network, state):
        """Put a network and a training state where the file has them, if there is one.

        Raises
        ------
        ValueError
            Where the file is of another training or another version of skdeep, or
            cannot be read. Network and state are then what they were before.
        """
        try:
            with open(self.path, "rb") as file:
                header, arrays, intact = _read(file)
        except FileNotFoundError:
            return
        except Exception as error:  # what a damaged file can raise is in nobody's list
            raise self._unreadable(error) from error
        self._check_version(header.get("skdeep", "an earlier version"))
        if not intact:
            raise self._unreadable("its contents are not those that were saved")
        self._check_class(header.get("class"))
        try:
            self._check_description(header["description"])
            values = {k: _unpack(v, arrays) for k, v in header["state"].items()}
            _check_fits(network, state, arrays, values)
        except (AttributeError, LookupError, TypeError) as error:
            raise self._unreadable(error) from error
        network.parameters[...], network.statistics[...] = arrays[:2]
        for name, value in values.items():
            setattr(state, name, value)

    def remove(self):
        """Remove the file, and what killed processes left of its successors."""
        self.path.unlink(missing_ok=True)
        for leftover in list(self.path.parent.iterdir()):
            if leftover.name.startswith(self._beginning):
                leftover.unlink(missing_ok=True)

    def _unreadable(self, reason):
        reason = str(reason) or type(reason).__name__
        return ValueError(
            f"The checkpoint {self.path} cannot be read ({reason}). Delete it to start "
            "anew."
        )

    def _check_version(self, version):
        if version != __version__:
            raise ValueError(
                f"The checkpoint {self.path} is of skdeep {version}; this is skdeep "
                f"{__version__}, which may compute other bits. Go on with that version, or "
                "delete the file to start anew."
            )

    def _check_class(self, owner):
        if owner != self.owner:
            raise ValueError(
                f"The checkpoint {self.path} is of another training: of {owner}, not of "
                f"{self.owner}. Fit that estimator to go on, or delete the file to start "
                "anew."
            )

    def _check_description(self, other):
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


def class_name(estimator):
    """The name of an estimator's class, with its module's."""
    return f"{type(estimator).__module__}.{type(estimator).__qualname__}"


def describe_training(estimator, epochs_before, X, y, metadata):
    """What decides how a training goes, by name, in words that can be compared.

    Parameters
    ----------
    estimator : estimator
        What is trained.

    epochs_before : int
        The epochs that were done before.

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
    description["epochs before"] = str(epochs_before)
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


def _read(file):
    """The header, the arrays, and whether they are those that were saved."""
    with np.load(file, allow_pickle=False) as archive:
        text = archive["header"]
        header = json.loads(text.tobytes())
        if not isinstance(header, dict):
            raise ValueError("its header is not a description")
        n_arrays = sum(name.startswith("array_") for name in archive.files)
        arrays = [archive[f"array_{number}"] for number in range(n_arrays)]
        digest = archive["digest"] if "digest" in archive.files else None
    return header, arrays, np.array_equal(digest, _digest(text, arrays))


def _digest(text, arrays):
    """A number that is another one where a header or an array is another one."""
    digest = hashlib.sha256(text.tobytes())
    for array in arrays:
        digest.update(f"{array.dtype.str} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).view(np.uint8).data)
    return np.frombuffer(digest.digest(), dtype=np.uint8)


def _check_fits(network, state, arrays, values):
    """Raise a TypeError where what was read is not of this network and state."""
    for mine, read in zip((network.parameters, network.statistics), arrays, strict=False):
        if (mine.dtype, mine.shape) != (read.dtype, read.shape):
            raise TypeError(
                f"{read.dtype} {read.shape} cannot be weights of {mine.dtype} {mine.shape}"
            )
    if len(arrays) < 2 or values.keys() != vars(state).keys():
        raise TypeError("it does not hold the state of a training")


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
        parts = [value.parameters, value.statistics, value.count]
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
