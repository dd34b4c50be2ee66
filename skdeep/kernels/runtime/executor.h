// Runs programs: one step, or all steps of an epoch in one call.
#pragma once

#include <functional>
#include <map>
#include <vector>

#include "schedule.h"

namespace skdeep {

class Program {
 public:
  explicit Program(std::vector<Operation> operations)
      : operations_(std::move(operations)), stages_(make_stages(operations_)) {}
  Program(const Program&) = delete;

  const Plan& plan(int threads);
  const std::vector<Operation>& operations() const { return operations_; }
  const std::vector<Stage>& stages() const { return stages_; }
  double cost() const;
  long scratch() const;  // bytes for each thread

  // On a machine that is busy with other work, several threads wait for each other
  // longer than they work: after such a run, some are done by one thread; twice as many
  // each time. Results do not depend on it.
  int wanted_threads(int threads);
  void remember(bool waited_long);

  // Let the arguments that point to `from` point to `to`.
  void move_argument(const void* from, void* to);
  // Whether a call writes what lies at `data`.
  bool writes(const void* data) const;

 private:
  std::vector<Operation> operations_;
  std::vector<Stage> stages_;
  std::map<int, Plan> plans_;  // by threads
  int runs_alone_ = 0, next_alone_ = 1;
};

// What the steps of an epoch are, and what changes between them.
struct Steps {
  Program* full;
  long n_full;
  Program* last = nullptr;  // for the rows that do not fill a batch
  // Null where a program takes all rows, or sets nothing.
  const long long* order = nullptr;
  long rows = 0, last_rows = 0;
  long long* index = nullptr;
  long long* step = nullptr;
  double* learning_rate = nullptr;
  const double* rates = nullptr;
};

struct Callbacks {
  std::function<void(void*)> call;  // a Python kernel, by the calling thread
  std::function<void()> ask;        // now and then; throws where the user interrupted
};

// Rethrows what a callback threw, after all threads stopped.
void execute(const Steps& steps, int threads, const Callbacks& callbacks);

// What a clock around each operation said, and one around all of them.
struct Times {
  double wall;  // from the first step to the last
  int threads;
  std::vector<double> seconds;  // of each operation, of all threads together
};

// The same steps as without clocks, on the same threads, with the same results.
Times execute_clocked(Program& program, long n_steps, int threads,
                      const Callbacks& callbacks);

}  // namespace skdeep
