// How kernels are launched: on a GPU by nvcc's runtime, or, where the host compiler reads this, on the CPU. The only
// file that knows the difference.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <tuple>
#include <utility>

#if defined(__CUDACC__)
#include <cuda_runtime.h>
#else
#include "host/cuda.h"
#endif

namespace streamhmm::cuda {

// What a card offers a kernel.
struct Card {
  size_t shared_bytes;  // to a block
  int32_t multiprocessors;
};

constexpr int32_t kWarp = 32;
constexpr unsigned kAllLanes = 0xffffffffu;

#if defined(__CUDACC__)

// Throws std::runtime_error that says what CUDA says.
void check(cudaError_t status);

Card card_of(int device);

// The calling thread's device, for as long as this lives.
class DeviceGuard {
 public:
  explicit DeviceGuard(int device);
  ~DeviceGuard();
  DeviceGuard(const DeviceGuard&) = delete;
  DeviceGuard& operator=(const DeviceGuard&) = delete;

 private:
  int before_;
  bool changed_;
};

inline void zero(void* memory, size_t bytes, void* stream) {
  if (bytes > 0) check(cudaMemsetAsync(memory, 0, bytes, static_cast<cudaStream_t>(stream)));
}

// Lets a kernel have as much shared memory as the current card gives to a block. Always all of it: the limit is one for
// all threads of the process, and what one raises another must not lower before its launch.
void allow_shared_memory(const void* kernel, size_t bytes);

// `start` is cudaLaunchKernel or its like.
template <class Start, class... Parameters, class... Arguments>
void launch_by(const Start& start, void (*kernel)(Parameters...), size_t shared_bytes, Arguments&&... arguments) {
  std::tuple<Parameters...> values(std::forward<Arguments>(arguments)...);
  const auto* entry = reinterpret_cast<const void*>(kernel);
  allow_shared_memory(entry, shared_bytes);
  std::apply(
      [&](auto&... each) {
        void* pointers[] = {static_cast<void*>(&each)...};
        check(start(entry, pointers));
      },
      values);
}

template <class... Parameters, class... Arguments>
void launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t shared_bytes, void* stream,
            Arguments&&... arguments) {
  const auto start = [&](const void* entry, void** pointers) {
    return cudaLaunchKernel(entry, grid, block, pointers, shared_bytes, static_cast<cudaStream_t>(stream));
  };
  launch_by(start, kernel, shared_bytes, std::forward<Arguments>(arguments)...);
}

// All blocks run at the same time, and wait_for_grid() waits for all of them. At most a block a multiprocessor.
template <class... Parameters, class... Arguments>
void launch_cooperative(void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t shared_bytes, void* stream,
                        Arguments&&... arguments) {
  const auto start = [&](const void* entry, void** pointers) {
    return cudaLaunchCooperativeKernel(entry, grid, block, pointers, shared_bytes, static_cast<cudaStream_t>(stream));
  };
  launch_by(start, kernel, shared_bytes, std::forward<Arguments>(arguments)...);
}

#else

inline Card card_of(int) {
  const host::Card& card = host::settings().card;
  return {card.shared_bytes, card.multiprocessors};
}

class DeviceGuard {
 public:
  explicit DeviceGuard(int) {}
};

inline void zero(void* memory, size_t bytes, void*) {
  if (bytes > 0) std::memset(memory, 0, bytes);
}

template <class... Parameters, class... Arguments>
void launch_on_host(bool cooperative, void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t shared_bytes,
                    Arguments&&... arguments) {
  using Values = std::tuple<Parameters...>;
  struct Call {
    void (*kernel)(Parameters...);
    Values values;
  } call{kernel, Values(std::forward<Arguments>(arguments)...)};
  const auto run = [](void* data) {
    const Call& c = *static_cast<const Call*>(data);
    std::apply(c.kernel, c.values);
  };
  host::run({grid, block, shared_bytes, cooperative}, run, &call);
}

template <class... Parameters, class... Arguments>
void launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t shared_bytes, void*,
            Arguments&&... arguments) {
  launch_on_host(false, kernel, grid, block, shared_bytes, std::forward<Arguments>(arguments)...);
}

template <class... Parameters, class... Arguments>
void launch_cooperative(void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t shared_bytes, void*,
                        Arguments&&... arguments) {
  launch_on_host(true, kernel, grid, block, shared_bytes, std::forward<Arguments>(arguments)...);
}

#endif

}  // namespace streamhmm::cuda
