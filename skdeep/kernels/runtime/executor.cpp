#include "executor.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <new>

#include "floating_point_mode.h"
#include "thread_pool.h"

namespace skdeep {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto time_between_questions = std::chrono::milliseconds(50);
// Stages that cost less than this are done by one thread while the others wait.
constexpr double alone_cost = 20000;
// In stages that cost more, the user's interrupts are looked for after each operation.
constexpr double long_cost = 1e7;
// What a thread could have done while it slept at a barrier and was woken up.
constexpr double sleep_cost = 1e7;

// One for each thread, freed with it.
struct Scratch {
  void* memory = nullptr;
  long bytes = 0;

  void* at_least(long wanted) {
    if (bytes < wanted) {
      release();
      memory = ::operator new(wanted, std::align_val_t(64));
      bytes = wanted;
    }
    return memory;
  }
  void release() {
    ::operator delete(memory, std::align_val_t(64));
    memory = nullptr;
    bytes = 0;
  }
  ~Scratch() { release(); }
};

Worker this_worker(long bytes) {
  thread_local Scratch scratch;
  return {scratch.at_least(bytes)};
}

// What is done around each operation of a thread: nothing, of which nothing is left in the
// compiled code,
struct NoClock {
  template <class Function>
  void time(const Operation&, Function function) {
    function();
  }
};

// or its time is added up.
class OperationClock {
 public:
  // Of a program's operations, which lie one after the other
  OperationClock(const Operation* first, std::size_t count)
      : first_(first), seconds_(count + padding) {}

  template <class Function>
  void time(const Operation& o, Function function) {
    const auto start = Clock::now();
    function();
    const std::chrono::duration<double> taken = Clock::now() - start;
    seconds_[(std::size_t)(&o - first_)] += taken.count();
  }

  double seconds(std::size_t i) const { return seconds_[i]; }

 private:
  static constexpr std::size_t padding = 16;  // no two threads' in one line of the cache

  const Operation* first_;
  std::vector<double> seconds_;
};

// go_on() is asked after each operation.
template <class Watch, class GoOn>
void run_piece(const Piece& piece, Worker& worker, Watch& watch, GoOn go_on) {
  for (long begin = piece.begin; begin < piece.end; begin += piece.step) {
    const long end = std::min(begin + piece.step, piece.end);
    for (int i = 0; i < piece.count; ++i) {
      const Operation& o = *piece.operations[i];
      const long stop = std::min(end, o.length);
      if (begin < stop) watch.time(o, [&] { o.kernel(o, worker, begin, stop); });
      if (!go_on()) return;
    }
  }
}

// The scratch is asked for each time: a call of Python between two tasks may have run
// another program in this thread, and that one may have needed more.
template <class Watch, class GoOn>
void run_task(const Task& task, long scratch, Watch& watch, GoOn go_on) {
  Worker worker = this_worker(scratch);
  for (const Piece& piece : task) {
    run_piece(piece, worker, watch, go_on);
    if (!go_on()) return;
  }
}

constexpr auto always = [] { return true; };

struct alignas(64) Cursor {
  std::atomic<int> next;
};

// A run of steps by several threads in step with each other, each with a watch of its own.
template <class Watch>
class Run {
 public:
  Run(const Steps& steps, std::vector<Watch>& watches, const Callbacks& callbacks,
      Mode::Word callers_mode)
      : steps_(steps),
        callers_mode_(callers_mode),
        threads_((int)watches.size()),
        watches_(watches),
        callbacks_(callbacks),
        barrier_(threads_),
        cursors_(threads_),
        asked_(Clock::now()) {
    full_ = &steps.full->plan(threads_);
    last_ = steps.last ? &steps.last->plan(threads_) : nullptr;
    n_steps_ = steps.n_full + (steps.last ? 1 : 0);
    finished_ = n_steps_ == 0;
    if (!finished_) begin_step();
    scratch_ = steps.full->scratch();
    if (steps.last) scratch_ = std::max(scratch_, steps.last->scratch());
    settle(watches_[0]);
  }

  void work(int thread) {
    const Mode mode(Mode::flushing());
    Watch& watch = watches_[(std::size_t)thread];
    reserve_scratch();
    long asked_in = -1;  // a look at the clock after each task would be felt in short ones
    while (!finished_) {
      const PlannedStage& stage = (*plan_)[stage_];
      const bool long_stage = stage.cost > long_cost || stage.split == Split::python;
      if (stage.split == Split::python) {
        if (thread == 0) call_python(stage);
      } else {
        for (int i = 0; i < threads_; ++i) {
          const int owner = (thread + i) % threads_;  // its own tasks, then others'
          const int stop = stage.first[owner + 1];
          int task;
          while (!stop_.load(std::memory_order_relaxed) &&
                 (task = cursors_[owner].next.fetch_add(1, std::memory_order_relaxed)) <
                     stop) {
            if (!long_stage) {
              run_task(stage.tasks[task], scratch_, watch, always);
              continue;
            }
            run_task(stage.tasks[task], scratch_, watch, [&] {
              if (thread == 0) ask();
              return !stop_.load(std::memory_order_relaxed);
            });
          }
        }
      }
      if (thread == 0 && (long_stage || asked_in != done_)) {
        ask();
        asked_in = done_;
      }
      barrier_.arrive([&] {
        ++stage_;
        settle(watch);
      });
    }
  }

  std::exception_ptr error() const { return error_; }

  // Whether the threads waited for each other longer than two of them can save.
  bool waited_long() const {
    const double cost = steps_.full->cost() * (double)n_steps_;
    return sleep_cost * (double)barrier_.sleeps() > 0.4 * cost;
  }

 private:
  void begin_step() {
    const bool full = done_ < steps_.n_full;
    plan_ = full ? full_ : last_;
    stage_ = 0;
    if (steps_.order) {
      std::memcpy(steps_.index, steps_.order + done_ * steps_.rows,
                  sizeof(long long) * (full ? steps_.rows : steps_.last_rows));
    }
    if (steps_.step) {
      ++*steps_.step;
      *steps_.learning_rate = steps_.rates[done_];
    }
  }

  // Alone: go on to the next stage for several threads, doing what lies before it.
  void settle(Watch& watch) {
    while (!finished_) {
      if (stop_) {
        finished_ = true;
      } else if (stage_ == plan_->size()) {
        finished_ = ++done_ == n_steps_;
        if (!finished_) begin_step();
      } else if (const auto& stage = (*plan_)[stage_];
                 threads_ > 1 && stage.cost < alone_cost && stage.split != Split::python) {
        for (const Task& task : stage.tasks) run_task(task, scratch_, watch, always);
        ++stage_;
      } else {
        for (int t = 0; t < threads_; ++t) {
          cursors_[t].next.store(stage.first[t], std::memory_order_relaxed);
        }
        return;
      }
    }
  }

  void call_python(const PlannedStage& stage) {
    const Mode mode(callers_mode_);
    try {
      for (const Task& task : stage.tasks) {
        const Operation& o = **task[0].operations;
        watches_[0].time(o, [&] { callbacks_.call(o.callable); });
      }
    } catch (...) {
      fail();
    }
  }

  // The first error of all threads ends the run.
  void fail() {
    if (!failed_.exchange(true)) error_ = std::current_exception();
    stop_ = true;
  }

  // So that no task throws: there is enough scratch memory for all of them.
  void reserve_scratch() {
    try {
      this_worker(scratch_);
    } catch (...) {
      fail();
    }
  }

  void ask() {
    const auto now = Clock::now();
    if (now - asked_ < time_between_questions) return;
    asked_ = now;
    const Mode mode(callers_mode_);
    try {
      callbacks_.ask();
    } catch (...) {
      fail();
    }
  }

  const Steps& steps_;
  const Mode::Word callers_mode_;
  const int threads_;
  std::vector<Watch>& watches_;
  const Callbacks& callbacks_;
  Barrier barrier_;
  std::vector<Cursor> cursors_;
  const Plan *full_, *last_, *plan_ = nullptr;
  std::size_t stage_ = 0;
  long done_ = 0, n_steps_;
  long scratch_;
  bool finished_;
  std::atomic<bool> stop_{false}, failed_{false};
  std::exception_ptr error_;
  Clock::time_point asked_;
};

}  // namespace

const Plan& Program::plan(int threads) {
  auto found = plans_.find(threads);
  if (found == plans_.end()) {
    found = plans_.emplace(threads, make_plan(stages_, threads)).first;
  }
  return found->second;
}

int Program::wanted_threads(int threads) {
  if (threads == 1 || runs_alone_ == 0) return threads;
  --runs_alone_;
  return 1;
}

void Program::remember(bool waited_long) {
  constexpr int most = 64;
  next_alone_ = waited_long ? std::min(2 * next_alone_, most) : 1;
  runs_alone_ = waited_long ? next_alone_ : 0;
}

double Program::cost() const {
  double sum = 0;
  for (const Stage& stage : stages_) sum += stage.cost;
  return sum;
}

long Program::scratch() const {
  long bytes = scratch_bytes;
  for (const Operation& o : operations_) bytes = std::max(bytes, o.scratch);
  return bytes;
}

bool Program::writes(const void* data) const {
  for (const Operation& o : operations_) {
    for (int i = 0; i < o.n_arguments; ++i) {
      if (o.argument[i].data == data && (o.written >> i & 1)) return true;
    }
  }
  return false;
}

void Program::move_argument(const void* from, void* to) {
  for (Operation& o : operations_) {
    for (int i = 0; i < o.n_arguments; ++i) {
      if (o.argument[i].data == from) o.argument[i].data = to;
    }
  }
}

namespace {

template <class Watch>
void execute_watched(const Steps& steps, Lease& lease, std::vector<Watch>& watches,
                     const Callbacks& callbacks) {
  const Mode::Word callers_mode = Mode::now();
  const Mode mode(Mode::flushing());
  Run<Watch> run(steps, watches, callbacks, callers_mode);
  lease.run([&](int thread) { run.work(thread); });
  if (lease.threads() > 1) steps.full->remember(run.waited_long());
  if (run.error()) std::rethrow_exception(run.error());
}

}  // namespace

void execute(const Steps& steps, int threads, const Callbacks& callbacks) {
  Lease lease(steps.full->wanted_threads(threads));
  std::vector<NoClock> watches((std::size_t)lease.threads());
  execute_watched(steps, lease, watches, callbacks);
}

Times execute_clocked(Program& program, long n_steps, int threads,
                      const Callbacks& callbacks) {
  Lease lease(program.wanted_threads(threads));
  const auto& operations = program.operations();
  std::vector<OperationClock> watches(
      (std::size_t)lease.threads(), OperationClock(operations.data(), operations.size()));
  const Steps steps{&program, n_steps};
  const auto start = Clock::now();
  execute_watched(steps, lease, watches, callbacks);
  const std::chrono::duration<double> wall = Clock::now() - start;
  Times times{wall.count(), lease.threads(), std::vector<double>(operations.size())};
  for (std::size_t i = 0; i < operations.size(); ++i) {
    for (const auto& watch : watches) times.seconds[i] += watch.seconds(i);
  }
  return times;
}

}  // namespace skdeep
