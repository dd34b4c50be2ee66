#include "thread_pool.h"

#include <cstdlib>

#if defined(__linux__)
#include <sched.h>
#endif
#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#define SKDEEP_FORKS 1
#endif

namespace skdeep {
namespace {

constexpr int spins = 4000;  // about a tenth of a millisecond

inline void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

template <class Condition>
void spin_until(Condition is_met) {
  for (int i = 0; i < spins && !is_met(); ++i) pause();
}

int usable_cores() {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
  const unsigned cores = std::thread::hardware_concurrency();
  return cores ? (int)cores : 1;
}

int initial_limit() {
  const int cores = usable_cores();
  if (const char* text = std::getenv("OMP_NUM_THREADS")) {
    const int asked = std::atoi(text);
    if (asked > 0 && asked < cores) return asked;
  }
  return cores;
}

std::atomic<int> limit{0};

}  // namespace

class Pool {
 public:
  bool try_lock() { return user_.try_lock(); }
  void unlock() { user_.unlock(); }

  void run(int threads, const std::function<void(int)>& function) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      while ((int)threads_.size() < threads - 1) {
        const int number = (int)threads_.size() + 1;
        threads_.emplace_back([this, number, last = round_.load()] { work(number, last); });
        threads_.back().detach();
      }
      function_ = &function;
      wanted_ = threads;
      running_ = threads - 1;
      ++round_;
    }
    start_.notify_all();
    function(0);
    spin_until([this] { return running_ == 0; });
    std::unique_lock<std::mutex> lock(mutex_);
    done_.wait(lock, [this] { return running_ == 0; });
  }

 private:
  void work(int number, unsigned long last) {
    while (true) {
      // the next epoch comes soon, and to be woken takes longer than a small step
      spin_until([&] { return round_ != last; });
      std::unique_lock<std::mutex> lock(mutex_);
      start_.wait(lock, [&] { return round_ != last; });
      last = round_;
      if (number >= wanted_) continue;
      const auto* function = function_;
      lock.unlock();
      (*function)(number);
      lock.lock();
      if (--running_ == 0) done_.notify_one();
    }
  }

  std::mutex user_, mutex_;
  std::condition_variable start_, done_;
  std::vector<std::thread> threads_;
  const std::function<void(int)>* function_ = nullptr;
  int wanted_ = 0;
  std::atomic<int> running_{0};  // changes under the lock alone
  std::atomic<unsigned long> round_{0};
};

namespace {

// Never destroyed: its threads may still wait while the process ends. A child of fork
// has none of them, and maybe a lock that nobody will open: it gets a pool of its own.
std::atomic<Pool*> current{nullptr};

Pool& pool() {
  Pool* found = current.load();
  if (found) return *found;
  Pool* made = new Pool;
  if (current.compare_exchange_strong(found, made)) {
#ifdef SKDEEP_FORKS
    static const int registered = pthread_atfork(nullptr, nullptr, [] { current = nullptr; });
    (void)registered;
#endif
    return *made;
  }
  delete made;
  return *found;
}

}  // namespace

int thread_limit() {
  int now = limit.load();
  if (now == 0) {
    now = initial_limit();
    limit = now;
  }
  return now;
}

void set_thread_limit(int threads) { limit = threads < 1 ? 1 : threads; }

void Barrier::wait(unsigned generation) {
  const auto is_over = [&] {
    return generation_.load(std::memory_order_acquire) != generation;
  };
  spin_until(is_over);
  if (is_over()) return;
  sleeps_.fetch_add(1, std::memory_order_relaxed);
  std::unique_lock<std::mutex> lock(mutex_);
  sleepers_.fetch_add(1, std::memory_order_seq_cst);
  changed_.wait(lock, [&] {
    return generation_.load(std::memory_order_seq_cst) != generation;
  });
  sleepers_.fetch_sub(1, std::memory_order_relaxed);
}

void Barrier::wake() {
  if (sleepers_.load(std::memory_order_seq_cst) == 0) return;
  { std::lock_guard<std::mutex> lock(mutex_); }
  changed_.notify_all();
}

Lease::Lease(int threads) : threads_(threads) {
  if (threads <= 1) return;
  Pool& shared = pool();
  if (shared.try_lock()) {
    pool_ = &shared;
  } else {
    threads_ = 1;
  }
}

Lease::~Lease() {
  if (pool_) pool_->unlock();
}

void Lease::run(const std::function<void(int)>& function) {
  if (pool_) {
    pool_->run(threads_, function);
  } else {
    function(0);
  }
}

}  // namespace skdeep
