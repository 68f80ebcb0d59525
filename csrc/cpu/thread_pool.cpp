#include "thread_pool.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#define STREAMHMM_HAS_FORK
#endif

namespace streamhmm {
namespace {

// One call's work: indices are handed out one by one to whoever asks.
struct Job {
  const std::function<void(int64_t)>& run;
  const int64_t count;
  std::atomic<int64_t> next{0};
  std::mutex mutex;
  std::exception_ptr error;

  Job(const std::function<void(int64_t)>& run, int64_t count) : run(run), count(count) {}

  void work() {
    for (int64_t i = next++; i < count; i = next++) {
      try {
        run(i);
      } catch (...) {
        std::lock_guard<std::mutex> lock(mutex);
        if (!error) error = std::current_exception();
        next = count;
      }
    }
  }
};

// Looks for a while whether `come` turns true: to fall asleep and be woken takes longer than many a call.
template <class Condition>
void await_briefly(const Condition& come) {
  constexpr auto kWhile = std::chrono::microseconds(100);
  const auto end = std::chrono::steady_clock::now() + kWhile;
  while (!come() && std::chrono::steady_clock::now() < end) std::this_thread::yield();
}

class Pool {
 public:
  // Runs the job with up to `helpers` helpers; false if the pool is taken. Helpers that come when all is done already
  // are not waited for: on a busy machine that would take long.
  bool run(Job& job, int helpers) {
    std::unique_lock<std::mutex> taken(busy_, std::try_to_lock);
    if (!taken.owns_lock()) return false;
    start(helpers);
    {
      std::lock_guard<std::mutex> lock(mutex_);
      job_ = &job;
      wanted_ = helpers;
      ++round_;
    }
    wake_.notify_all();
    job.work();
    std::unique_lock<std::mutex> lock(mutex_);
    job_ = nullptr;
    lock.unlock();
    await_briefly([this] { return helping_ == 0; });
    lock.lock();
    done_.wait(lock, [this] { return helping_ == 0; });
    return true;
  }

 private:
  // Starts threads until there are `count`, or fewer where the system grants no more.
  void start(int count) {
    try {
      while (static_cast<int>(threads_.size()) < count) {
        threads_.emplace_back([this, index = threads_.size()] { serve(index); });
      }
    } catch (const std::system_error&) {
    }
  }

  void serve(size_t index) {
    uint64_t seen = 0;
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      lock.unlock();
      await_briefly([&] { return round_ != seen; });
      lock.lock();
      wake_.wait(lock, [&] { return round_ != seen; });
      seen = round_;
      Job* job = job_;
      if (job == nullptr || static_cast<int>(index) >= wanted_) continue;
      ++helping_;
      lock.unlock();
      job->work();
      lock.lock();
      if (--helping_ == 0) done_.notify_one();
    }
  }

  std::mutex busy_;
  std::mutex mutex_;
  std::condition_variable wake_, done_;
  std::vector<std::thread> threads_;
  Job* job_ = nullptr;
  int wanted_ = 0;
  std::atomic<int> helping_{0};
  std::atomic<uint64_t> round_{0};
};

// Never destroyed: at exit helpers may already be gone, and a forked child must not join its parent's threads.
Pool*& pool() {
  static Pool* instance = nullptr;
  return instance;
}
std::mutex& pool_mutex() {
  static std::mutex* mutex = new std::mutex;
  return *mutex;
}

Pool& shared_pool() {
  std::lock_guard<std::mutex> lock(pool_mutex());
  if (pool() == nullptr) {
    pool() = new Pool;
#ifdef STREAMHMM_HAS_FORK
    static const int registered = pthread_atfork([] { pool_mutex().lock(); }, [] { pool_mutex().unlock(); },
                                                 [] {
                                                   pool() = nullptr;
                                                   pool_mutex().unlock();
                                                 });
    static_cast<void>(registered);
#endif
  }
  return *pool();
}

}  // namespace

void parallel_for(int64_t count, int threads, const std::function<void(int64_t)>& job) {
  Job work(job, count);
  const int64_t helpers = (threads < count ? threads : count) - 1;
  if (helpers < 1 || !shared_pool().run(work, static_cast<int>(helpers))) work.work();
  if (work.error) std::rethrow_exception(work.error);
}

}  // namespace streamhmm
