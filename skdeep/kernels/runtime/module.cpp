// What Python sees: programs made of calls, and functions that run them.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include <chrono>
#include <memory>
#include <new>
#include <thread>

#include "dispatch.h"
#include "executor.h"
#include "thread_pool.h"

namespace nb = nanobind;

namespace skdeep {
namespace {

Type type_of(const Py_buffer& view) {
  const char* format = view.format ? view.format : "B";
  if (*format == '@' || *format == '=' || *format == '<') ++format;
  switch (*format) {
    case '?':
      return Type::boolean;
    case 'B':
      return Type::uint8;
    case 'f':
      return Type::float32;
    case 'd':
      return Type::float64;
    case 'i':
    case 'l':
    case 'q':
      return view.itemsize == 4 ? Type::int32 : Type::int64;
    case 'L':
    case 'Q':
      return Type::int64;  // a key's words
    default:
      return Type::none;
  }
}

bool describe_tuple(nb::handle value, Argument& argument) {
  const long size = (long)PyTuple_GET_SIZE(value.ptr());
  if (size > maximum_axes) return false;
  for (long i = 0; i < size; ++i) {
    const nb::handle item = PyTuple_GET_ITEM(value.ptr(), i);
    if (!PyIndex_Check(item.ptr())) return false;
    argument.shape[i] = (long)PyNumber_AsSsize_t(item.ptr(), nullptr);
  }
  return true;
}

// Returns false where the compiled kernels cannot take a value as it is.
bool describe(nb::handle value, Argument& argument, bool* read_only = nullptr) {
  argument = {nullptr, 0, 1, 0.0, Type::none, {1, 1, 1, 1}};
  if (value.is_none()) return true;
  if (PyTuple_Check(value.ptr())) return describe_tuple(value, argument);
  if (PyFloat_Check(value.ptr()) || PyLong_Check(value.ptr())) {
    argument.number = nb::cast<double>(value);
    return true;
  }
  Py_buffer view;
  if (PyObject_GetBuffer(value.ptr(), &view, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT) != 0) {
    PyErr_Clear();
    return false;
  }
  argument.data = view.buf;
  argument.type = type_of(view);
  argument.rows = view.ndim ? view.shape[0] : 1;
  for (int i = 1; i < view.ndim; ++i) argument.columns *= view.shape[i];
  for (int i = 0; i < view.ndim && i < maximum_axes; ++i) argument.shape[i] = view.shape[i];
  if (read_only) *read_only = view.readonly;
  const bool fits = view.ndim <= maximum_axes;
  PyBuffer_Release(&view);
  return fits && argument.type != Type::none;
}

// A program, and the objects that its pointers and callbacks belong to. The memory is
// kept by the Python object around it.
struct BoundProgram {
  std::vector<nb::object> callbacks;
  std::unique_ptr<Program> program;

  // Each call: the kernel's name or None, its arguments, bits of those written and of
  // those cut, its floating-point operations, and what to call without compiled kernel.
  BoundProgram(bool single, const nb::list& calls) {
    std::vector<Operation> operations;
    for (nb::handle item : calls) {
      const auto call = nb::cast<nb::tuple>(item);
      Operation o{};
      const auto arguments = nb::cast<nb::tuple>(call[1]);
      o.written = nb::cast<unsigned>(call[2]);
      o.cut = nb::cast<unsigned>(call[3]);
      o.cost = nb::cast<double>(call[4]);
      o.n_arguments = (int)arguments.size();
      bool fits = o.n_arguments <= maximum_arguments;
      for (int i = 0; fits && i < o.n_arguments; ++i) {
        fits = describe(arguments[i], o.argument[i]);
      }
      const KernelEntry* entry =
          call[0].is_none() ? nullptr : find_kernel(nb::cast<std::string>(call[0]));
      if (entry && fits) {
        o.kernel = single ? entry->float32 : entry->float64;
        o.split = entry->split;
        const int i = entry->length_argument;
        o.length = i < 0 ? o.argument[-i].columns : o.argument[i].rows;
        if (entry->length) o.length = entry->length(o);
        o.scratch = entry->scratch ? entry->scratch(o) : 0;
        if (o.split == Split::whole) o.length = 1;
        if (o.cost == 0) {
          for (int j = 0; j < o.n_arguments; ++j) {
            o.cost += 4.0 * (double)o.argument[j].rows * (double)o.argument[j].columns;
          }
        }
      } else {
        o.split = Split::python;
        o.length = 1;
        o.callable = call[5].ptr();
        callbacks.push_back(nb::borrow(call[5]));
      }
      operations.push_back(o);
    }
    program = std::make_unique<Program>(std::move(operations));
  }

  // None after Python's collector of cycles took it apart.
  Program& whole() const {
    if (!program) throw std::runtime_error("this program was freed");
    return *program;
  }

  double cost() const { return whole().cost(); }
  bool uses_python() const { return !callbacks.empty(); }
  int n_stages() const { return (int)whole().stages().size(); }
};

// A kernel in Python may know of the program that calls it, through the model that it
// belongs to: Python's collector of cycles is shown what a program holds.
int visit_program(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  if (!nb::inst_ready(self)) return 0;
  for (const nb::object& callback : nb::inst_ptr<BoundProgram>(self)->callbacks) {
    Py_VISIT(callback.ptr());
  }
  return 0;
}

int clear_program(PyObject* self) {
  if (!nb::inst_ready(self)) return 0;
  BoundProgram* bound = nb::inst_ptr<BoundProgram>(self);
  bound->program.reset();
  std::vector<nb::object> callbacks = std::move(bound->callbacks);
  bound->callbacks.clear();
  return 0;
}

PyType_Slot program_slots[] = {{Py_tp_traverse, (void*)visit_program},
                               {Py_tp_clear, (void*)clear_program},
                               {0, nullptr}};

constexpr Type type_for(const long long*) { return Type::int64; }
constexpr Type type_for(const double*) { return Type::float64; }

// The memory of an array of at least `length` numbers.
template <class T>
T* data_of(nb::handle value, const char* name, long length, bool written = false) {
  Argument argument;
  bool read_only = false;
  const T* type = nullptr;
  if (!describe(value, argument, &read_only) || argument.type != type_for(type) ||
      argument.rows * argument.columns < length || (length && !argument.data) ||
      (written && read_only)) {
    const std::string text = std::string(name) + " must be a contiguous array of at least " +
                             std::to_string(length) + " numbers of its type";
    throw nb::value_error(text.c_str());
  }
  return (T*)argument.data;
}

// Let the arguments that lie in one array lie in another of the same shape and type.
void move_argument(BoundProgram& bound, nb::handle from, nb::handle to) {
  Argument before, after;
  bool read_only = false;
  if (!describe(from, before) || !describe(to, after, &read_only) || !before.data ||
      !after.data || before.type != after.type || before.rows != after.rows ||
      before.columns != after.columns ||
      (read_only && bound.whole().writes(before.data))) {
    throw nb::value_error("an argument can only be moved to an array like its own");
  }
  bound.whole().move_argument(before.data, after.data);
}

// Python ends a thread that asks for the GIL while the interpreter shuts down by
// unwinding its stack, which must not pass functions of C++: the process would abort. Such
// a thread, a daemon's, waits here for the end of the process.
template <class Function>
void in_python(Function function) {
  try {
    function();  // nothing but C, which throws nothing else
  } catch (...) {
    while (true) std::this_thread::sleep_for(std::chrono::hours(1));
  }
}

// Thrown where Python has set an error for this thread.
struct PythonError {};

// Lets other Python threads run while it lives. It is of the thread that made it.
class WithoutGil {
 public:
  WithoutGil() : state_(PyEval_SaveThread()) {}
  ~WithoutGil() {
    in_python([&] { PyEval_RestoreThread(state_); });
  }
  WithoutGil(const WithoutGil&) = delete;

  // Do something in Python that returns whether it went well.
  template <class Function>
  void call(Function function) {
    bool well = false;
    in_python([&] {
      PyEval_RestoreThread(state_);
      well = function();
      state_ = PyEval_SaveThread();
    });
    if (!well) throw PythonError();
  }

 private:
  PyThreadState* state_;
};

// Call work(callbacks), without the GIL.
template <class Work>
void without_gil(Work work) {
  WithoutGil python;
  const Callbacks callbacks = {
      [&](void* callable) {
        python.call([&] {
          PyObject* result = PyObject_CallNoArgs((PyObject*)callable);
          Py_XDECREF(result);
          return result != nullptr;
        });
      },
      [&] { python.call([] { return PyErr_CheckSignals() == 0; }); },
  };
  work(callbacks);
}

template <class Work>
void run(Work work) {
  try {
    without_gil(work);
  } catch (const PythonError&) {
    throw nb::python_error();
  } catch (const std::bad_alloc&) {
    PyErr_SetString(PyExc_MemoryError,
                    "There is not enough memory for what a step copies for each thread. "
                    "Make the batch, the images or the windows smaller.");
    throw nb::python_error();
  }
}

}  // namespace

NB_MODULE(_skdeep_native, m) {
  m.doc() = "The compiled kernels and their executor.";
  // what daemon threads hold at the end of the process is not worth a word to its user
  nb::set_leak_warnings(false);

  nb::class_<BoundProgram>(m, "Program", nb::type_slots(program_slots))
      .def(nb::init<bool, const nb::list&>(), nb::arg("single"), nb::arg("calls"))
      .def_prop_ro("cost", &BoundProgram::cost)
      .def_prop_ro("n_stages", &BoundProgram::n_stages)
      .def_prop_ro("uses_python", &BoundProgram::uses_python)
      .def("move_argument", &move_argument)
      .def("run", [](BoundProgram& program, int threads) {
        const Steps steps{&program.whole(), 1};
        run([&](const Callbacks& python) { execute(steps, threads, python); });
      })
      .def("clock", [](BoundProgram& program, long n_steps, int threads) {
        if (n_steps < 1) throw nb::value_error("no steps");
        Times times;
        run([&](const Callbacks& python) {
          times = execute_clocked(program.whole(), n_steps, threads, python);
        });
        return nb::make_tuple(times.seconds, times.wall, times.threads);
      }, nb::arg("n_steps"), nb::arg("threads"));

  m.def("run_epoch", [](BoundProgram& full, long n_full, BoundProgram* last,
                        nb::handle order, long rows, long last_rows, nb::handle index,
                        nb::handle step, nb::handle learning_rate, nb::handle rates,
                        int threads) {
    if (n_full < 0 || rows < 0 || last_rows < 0) throw nb::value_error("negative sizes");
    Steps steps{&full.whole(), n_full};
    steps.last = last ? &last->whole() : nullptr;
    const long n_steps = n_full + (last ? 1 : 0);
    if (!order.is_none()) {
      const long most = rows > last_rows ? rows : last_rows;
      steps.order = data_of<long long>(order, "order", n_full * rows + last_rows);
      steps.index = data_of<long long>(index, "index", most, true);
    }
    steps.rows = rows;
    steps.last_rows = last_rows;
    steps.step = data_of<long long>(step, "step", 1, true);
    steps.learning_rate = data_of<double>(learning_rate, "learning_rate", 1, true);
    steps.rates = data_of<double>(rates, "rates", n_steps);
    run([&](const Callbacks& python) { execute(steps, threads, python); });
  }, nb::arg("full"), nb::arg("n_full"), nb::arg("last").none(), nb::arg("order").none(),
     nb::arg("rows"), nb::arg("last_rows"), nb::arg("index"), nb::arg("step"),
     nb::arg("learning_rate"), nb::arg("rates"), nb::arg("threads"));

  m.def("kernel_names", &kernel_names);
  m.def("instruction_sets", &instruction_sets);
  m.def("instruction_set", &instruction_set);
  m.def("select_instruction_set", &select_instruction_set);
  m.def("thread_limit", &thread_limit);
  m.def("set_thread_limit", &set_thread_limit);
}

}  // namespace skdeep
