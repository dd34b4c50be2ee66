// What Python sees: programs made of calls, and functions that run them.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include <cstring>
#include <memory>

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
bool describe(nb::handle value, Argument& argument) {
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

  double cost() const { return program->cost(); }
  bool uses_python() const { return !callbacks.empty(); }
  int n_stages() const { return (int)program->stages().size(); }
};

template <class T>
T* data_of(nb::handle value) {
  Argument argument;
  if (!describe(value, argument) || !argument.data) {
    throw nb::type_error("a contiguous array was expected");
  }
  return (T*)argument.data;
}

void run(const Steps& steps, int threads) {
  const Callbacks callbacks = {
      [](void* callable) {
        nb::gil_scoped_acquire gil;
        nb::borrow((PyObject*)callable)();
      },
      [] {
        nb::gil_scoped_acquire gil;
        if (PyErr_CheckSignals() != 0) throw nb::python_error();
      },
  };
  nb::gil_scoped_release no_gil;
  execute(steps, threads, callbacks);
}

}  // namespace

NB_MODULE(_skdeep_native, m) {
  m.doc() = "The compiled kernels and their executor.";

  nb::class_<BoundProgram>(m, "Program")
      .def(nb::init<bool, const nb::list&>(), nb::arg("single"), nb::arg("calls"))
      .def_prop_ro("cost", &BoundProgram::cost)
      .def_prop_ro("n_stages", &BoundProgram::n_stages)
      .def_prop_ro("uses_python", &BoundProgram::uses_python)
      .def("move_argument",
           [](BoundProgram& program, nb::handle from, nb::handle to) {
             program.program->move_argument(data_of<void>(from), data_of<void>(to));
           })
      .def("run", [](BoundProgram& program, int threads) {
        Steps steps{program.program.get(), 1};
        run(steps, threads);
      });

  m.def("run_epoch", [](BoundProgram& full, long n_full, BoundProgram* last,
                        nb::handle order, long rows, long last_rows, nb::handle index,
                        nb::handle step, nb::handle learning_rate, nb::handle rates,
                        int threads) {
    Steps steps{full.program.get(), n_full};
    steps.last = last ? last->program.get() : nullptr;
    if (!order.is_none()) {
      steps.order = data_of<long long>(order);
      steps.index = data_of<long long>(index);
    }
    steps.rows = rows;
    steps.last_rows = last_rows;
    steps.step = data_of<long long>(step);
    steps.learning_rate = data_of<double>(learning_rate);
    steps.rates = data_of<double>(rates);
    run(steps, threads);
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
