// Replays recorded calls of the compiled core, without Python, so that sanitizers see nothing but the core:
//
//   replay FILE                     every call on every instruction set of this machine, results compared
//   replay FILE --threads           the same calls from several threads at once, and from children forked meanwhile
//   replay FILE --mutations N SEED  N calls with numbers changed at random: any error will do, but no crash
//   replay --streams N SEED         N streams through OnlineViterbi, each in two ways that must agree
//
// record.py writes FILE. Exit code 1 and the test's name for results that differ; what a sanitizer finds ends the
// process with its report and the test's name.
#include <cstdio>
#include <string>

#include "../../csrc/cpu/isa.h"
#include "compare.h"
#include "concurrent.h"
#include "current.h"
#include "mutate.h"
#include "streams.h"

namespace streamhmm {
namespace replay {
namespace {

int usage() {
  std::fprintf(stderr, "usage: replay FILE [--threads | --mutations N SEED] | --streams N SEED\n");
  return 2;
}

int stream(const std::vector<std::string>& words) {
  if (words.size() != 4) return usage();
  for (const std::string& isa : available_isas()) {
    select_isa(isa);
    run_streams(std::stoll(words[2]), std::stoull(words[3]));
    std::printf("%s: %s streams agree\n", isa.c_str(), words[2].c_str());
  }
  return 0;
}

int run(const std::vector<std::string>& words) {
  if (words[1] == "--streams") return stream(words);
  const std::string mode = words.size() > 2 ? words[2] : "";
  const std::vector<Call> calls = read_calls(words[1]);
  if (calls.empty()) throw std::runtime_error("no calls in " + words[1]);
  if (mode == "--mutations" && words.size() == 5) {
    const int64_t count = std::stoll(words[3]);
    const auto accepted = static_cast<long long>(run_mutations(calls, count, std::stoull(words[4])));
    std::printf("%lld changed calls, %lld accepted\n", static_cast<long long>(count), accepted);
    return 0;
  }
  if (words.size() != (mode == "--threads" ? 3 : 2)) return usage();
  for (const std::string& isa : available_isas()) {
    select_isa(isa);
    if (!(mode.empty() ? all_pass(calls, 0, isa) : pass_from_threads(calls, isa))) return 1;
    std::printf("%s: %zu calls agree\n", isa.c_str(), calls.size());
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace
}  // namespace replay
}  // namespace streamhmm

int main(int count, char** words) {
  if (count < 2) return streamhmm::replay::usage();
  streamhmm::replay::report_current_on_death();
  try {
    return streamhmm::replay::run({words, words + count});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "replay: %s\n", error.what());
    return 1;
  }
}
