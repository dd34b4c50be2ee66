// A pool of threads that all run one function at a time, and the barrier they meet at.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace skdeep {

class Pool;

// How many threads a program may use: the cores of this process, OMP_NUM_THREADS, and
// what set_thread_limit said last.
int thread_limit();
void set_thread_limit(int limit);

// Threads wait here for each other. The last to arrive does some work alone before the
// others go on. Waiting spins for a while and then sleeps, so that a busy machine is
// not kept from its work.
class Barrier {
 public:
  explicit Barrier(int threads) : threads_(threads) {}

  // How often a thread slept.
  long sleeps() const { return sleeps_.load(std::memory_order_relaxed); }

  template <class Alone>
  void arrive(Alone alone) {
    const unsigned generation = generation_.load(std::memory_order_relaxed);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == threads_) {
      alone();
      arrived_.store(0, std::memory_order_relaxed);
      generation_.fetch_add(1, std::memory_order_seq_cst);
      wake();
    } else {
      wait(generation);
    }
  }

 private:
  void wait(unsigned generation);
  void wake();

  const int threads_;
  std::atomic<int> arrived_{0};
  std::atomic<int> sleepers_{0};
  std::atomic<long> sleeps_{0};
  alignas(64) std::atomic<unsigned> generation_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
};

// The use of the process' pool, for one run at a time. Where another Python thread has
// it already, a lease is for this thread alone.
class Lease {
 public:
  explicit Lease(int threads);
  ~Lease();
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;

  int threads() const { return threads_; }

  // Run function(t) for every t below threads(); this thread is number 0.
  void run(const std::function<void(int)>& function);

 private:
  Pool* pool_ = nullptr;
  int threads_;
};

}  // namespace skdeep
