#include "launch.h"

#if defined(__CUDACC__)

#include <stdexcept>
#include <string>

namespace streamhmm::cuda {

void check(cudaError_t status) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // it is reported now, and not once more by the next launch
  throw std::runtime_error(std::string("CUDA: ") + cudaGetErrorString(status));
}

Card card_of(int device) {
  int shared_bytes = 0, multiprocessors = 0;
  check(cudaDeviceGetAttribute(&shared_bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, device));
  check(cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, device));
  return {static_cast<size_t>(shared_bytes), multiprocessors};
}

void allow_shared_memory(const void* kernel, size_t bytes) {
  constexpr size_t kWithoutAsking = 48 << 10;
  if (bytes <= kWithoutAsking) return;
  int device = 0, most = 0;
  check(cudaGetDevice(&device));
  check(cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, device));
  check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, most));
}

DeviceGuard::DeviceGuard(int device) : before_(device), changed_(false) {
  check(cudaGetDevice(&before_));
  changed_ = before_ != device;
  if (changed_) check(cudaSetDevice(device));
}

DeviceGuard::~DeviceGuard() {
  if (changed_) cudaSetDevice(before_);
}

}  // namespace streamhmm::cuda

#endif
