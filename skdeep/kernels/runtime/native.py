"""The compiled kernels, where the package was built with them and the user wants them.

The environment variable ``SKDEEP_KERNELS`` forces a choice: ``reference`` or ``native``.
``SKDEEP_ISA`` forces an instruction set: ``baseline``, ``avx2`` or ``avx512``.
"""

import importlib
import importlib.util
import os

import threadpoolctl

_EXTENSION = "skdeep.kernels.runtime._skdeep_native"
_ABSENT = (
    "skdeep was installed without compiled kernels for this Python: to get them, install "
    "it again (pip install --force-reinstall) where a C++17 compiler works, without "
    "SKDEEP_PURE_PYTHON"
)


def _import_extension():
    """The compiled kernels, or None; and why there are none."""
    if importlib.util.find_spec(_EXTENSION) is None:
        return None, _ABSENT
    try:
        return importlib.import_module(_EXTENSION), None
    except Exception as error:  # whatever is wrong with the file, NumPy's kernels run
        return None, f"the compiled ones cannot be imported: {error}"


extension, _REASON = _import_extension()


def _choose():
    """Whether compiled kernels run, and why not."""
    asked = os.environ.get("SKDEEP_KERNELS", "")
    if asked not in ("", "reference", "native"):
        raise ImportError(
            f"SKDEEP_KERNELS is {asked!r}; it must be 'reference' or 'native'."
        )
    if asked == "native" and extension is None:
        raise ImportError(
            f"SKDEEP_KERNELS=native asks for the compiled kernels, but {_REASON}. Or unset "
            "SKDEEP_KERNELS, and NumPy's kernels run."
        )
    if asked == "reference":
        return False, "SKDEEP_KERNELS=reference"
    return extension is not None, _REASON


def _select_instruction_set():
    asked = os.environ.get("SKDEEP_ISA", "")
    if asked and not extension.select_instruction_set(asked):
        raise ImportError(
            f"SKDEEP_ISA is {asked!r}, but this build and processor offer only "
            f"{extension.instruction_sets()}."
        )


class _ThreadLimit(threadpoolctl.LibController):
    """Lets threadpoolctl limit the threads of compiled programs, like those of a BLAS."""

    user_api = "skdeep"
    internal_api = "skdeep"
    filename_prefixes = ("_skdeep_native",)

    def get_num_threads(self):
        return extension.thread_limit()

    def set_num_threads(self, num_threads):
        extension.set_thread_limit(num_threads)

    def get_version(self):
        return None

    def set_additional_attributes(self):
        self.instruction_set = extension.instruction_set()


#: Whether programs run on compiled kernels.
ENABLED, _REASON = _choose()
if ENABLED:
    _select_instruction_set()
    threadpoolctl.register(_ThreadLimit)


def describe():
    """Which kernels run, and why."""
    if ENABLED:
        sets = ", ".join(extension.instruction_sets())
        return (
            f"native ({extension.instruction_set()}, of {sets}), up to "
            f"{extension.thread_limit()} threads"
        )
    return f"reference (NumPy), because {_REASON}"
