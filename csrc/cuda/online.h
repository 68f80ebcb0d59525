// Viterbi decoding of many streams on the device, chunk by chunk: the recursion and the rules of ../online_viterbi.h.
// A push is one launch, in which each stream has a block of threads. Nothing here waits for the device.
//
// What a stream is given in a push lies on one path, whatever decided it: that to the latest state in which all
// survivors' paths have met. So it is traced once, at the end of the push, and the back-pointers of the frames that
// were undecided before the push, and of the chunk, stay until then: in a ring of rows, the stream's window.
//
// Results are the CPU's. But `certainty` compares sums of exp, which are added up in another order here, and with
// another exp: where the CPU's sum and the limit agree to the last few bits, the answer may differ.
#pragma once

#include <cstdint>
#include <memory>

#include "../online_viterbi.h"
#include "device_batch.h"

namespace streamhmm::cuda {

// Where a stream's part of the arrays begins. Written by the host.
struct OnlinePlace {
  int64_t state;
  int64_t tile;
  int64_t window;         // bytes
  int64_t window_frames;  // rows of the ring: at least the undecided frames with those of the chunk
};

// How far a stream has come.
struct OnlineProgress {
  int64_t frames;     // pushed so far
  int64_t undecided;  // the first frame that is not decided
  int64_t is_double;  // 1: α are in double
  int64_t enters;     // 1: no frame since the beginning or a restart; then α are the log-weights of starting in a state
};

constexpr int64_t kNoneInvalid = -1;
constexpr int64_t kInvalidWeights = -2;

// What became of a stream in a call.
struct OnlineAnswer {
  int64_t begin;          // of what was decided, among the decided states of all streams
  int64_t count;          // of that
  int64_t invalid_frame;  // the chunk's first frame with NaN or +inf, or one of the above; if it isn't kNoneInvalid,
                          // nothing has changed
  int64_t current;        // the best survivor; −1: none
  int64_t reached;        // 1: it is a final state that the path was ended in
};

// All in the device's memory; (states) and (tiles) are those of all streams, one after the other.
struct OnlineState {
  const OnlinePlace* place;  // (streams)
  OnlineProgress* progress;  // (streams)
  double* alpha;             // (states)
  int32_t* ancestor;         // (states)
  double* offset;            // (tiles)
  char* window;
  char* scratch;
};

// The scores of a call: (streams, frames, columns), or rows of streams one after the other.
struct OnlineChunk {
  const void* scores;
  NumberType type;
  int64_t frames;
  int64_t stream_stride;
  int64_t frame_stride;
  const int64_t* first_row;  // (streams + 1) each stream's in the second case, else null
};

// Bytes of each state in a row of a window, and of a row.
int64_t online_winner_bytes(int64_t states);
int64_t online_winner_row_bytes(int64_t states);

class OnlineStreams {
 public:
  // A stream for each sequence of the batch, which has no scores. Throws std::invalid_argument where a graph is
  // damaged.
  explicit OnlineStreams(const DeviceBatch& batch);
  ~OnlineStreams();

  int64_t workspace_bytes() const;  // which are the streams' own from open() on
  int64_t scratch_bytes() const;
  void open(void* workspace);

  // To `answers` go the number of all decided states, 8 bytes; an OnlineAnswer a stream; the decided states, int32, −1
  // where no path fits.
  void push(const OnlineState& state, const OnlineChunk& chunk, const OnlineOptions& options, void* answers,
            void* stream) const;
  // Decides the rest of each stream: to the best final state, or where none is reached, or none is asked for, to the
  // best survivor.
  void end(const OnlineState& state, bool in_final, void* answers, void* stream) const;
  // Copies the undecided rows, at most `rows` of a stream, to another window.
  void move_window(const OnlineState& state, const OnlinePlace* new_place, char* new_window, int64_t rows,
                   void* stream) const;

 private:
  struct Plan;
  std::unique_ptr<Plan> plan_;
};

}  // namespace streamhmm::cuda
