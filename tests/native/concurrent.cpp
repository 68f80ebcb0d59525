#include "concurrent.h"

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <thread>

#include "compare.h"

namespace streamhmm {
namespace replay {
namespace {

constexpr size_t kCallers = 3;
constexpr size_t kForks = 4;
constexpr size_t kCallsAChild = 50;
constexpr unsigned kChildSeconds = 60;
constexpr int kTries = 4;            // gcc's ThreadSanitizer may fork while another thread holds its allocator's lock
constexpr int64_t kThreadsEach = 3;  // one caller has the pool, the others find it taken

// A child that makes some of the calls, with a pool of its own, and how it ended.
int status_of_fork(const std::vector<Call>& calls, size_t first, const std::string& isa) {
  const pid_t child = fork();
  if (child < 0) return -1;
  if (child == 0) {
    alarm(kChildSeconds);
    bool passed = true;
    for (size_t i = 0; i < kCallsAChild && passed; ++i) {
      passed = passes(calls[(first + i) % calls.size()], kThreadsEach, isa);
    }
    _exit(passed ? 0 : 1);
  }
  int status = 0;
  return waitpid(child, &status, 0) == child ? status : -1;
}

bool passes_after_fork(const std::vector<Call>& calls, size_t first, const std::string& isa) {
  int status = 0;
  for (int tries = 0; tries < kTries; ++tries) {
    status = status_of_fork(calls, first, isa);
    if (status == 0) return true;
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGALRM) break;
    std::fprintf(stderr, "%s: a forked child did not end within %u s\n", isa.c_str(), kChildSeconds);
  }
  std::fprintf(stderr, "%s: a forked child failed, status %d\n", isa.c_str(), status);
  return false;
}

}  // namespace

bool pass_from_threads(const std::vector<Call>& calls, const std::string& isa) {
  std::atomic<bool> passed{true};
  std::atomic<size_t> next{0};
  std::vector<std::thread> callers;
  for (size_t caller = 0; caller < kCallers; ++caller) {
    // they take calls from different places, so that all kinds meet
    callers.emplace_back([&, first = calls.size() * caller / kCallers] {
      for (size_t i = next++; i < calls.size() && passed; i = next++) {
        if (!passes(calls[(first + i) % calls.size()], kThreadsEach, isa)) passed = false;
      }
    });
  }
  for (size_t fork = 0; fork < kForks; ++fork) {
    if (!passes_after_fork(calls, calls.size() * fork / kForks, isa)) passed = false;
  }
  for (std::thread& caller : callers) caller.join();
  return passed;
}

}  // namespace replay
}  // namespace streamhmm
