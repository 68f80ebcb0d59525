#include "fiber.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <new>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

// switch_stacks(save, load): pushes what a callee must keep, stores the stack pointer in *save, takes `load` in its
// place and pops the same from there.
#if defined(__x86_64__)
asm(R"(
  .text
  .p2align 4
  .type streamhmm_switch_stacks, @function
streamhmm_switch_stacks:
  .cfi_startproc
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
  .cfi_endproc
  .size streamhmm_switch_stacks, .-streamhmm_switch_stacks
)");
constexpr int kReturn = 6;  // its place among them
constexpr int kFrame = 8;   // words of a new stack; the entry is as if called: 8 bytes off a multiple of 16
#elif defined(__aarch64__)
asm(R"(
  .text
  .p2align 4
  .type streamhmm_switch_stacks, %function
streamhmm_switch_stacks:
  .cfi_startproc
  sub sp, sp, #160
  stp x19, x20, [sp, #0]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x2, sp
  str x2, [x0]
  mov sp, x1
  ldp x19, x20, [sp, #0]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #160
  ret
  .cfi_endproc
  .size streamhmm_switch_stacks, .-streamhmm_switch_stacks
)");
constexpr int kReturn = 11;
constexpr int kFrame = 20;
#else
#error "CUDA kernels run on the CPU of x86-64 and aarch64 machines only"
#endif

extern "C" void streamhmm_switch_stacks(void** save, void* load);

namespace streamhmm::host {
namespace {

constexpr size_t kStackBytes = 256 << 10;
thread_local Fiber* current = nullptr;

size_t page() { return static_cast<size_t>(sysconf(_SC_PAGESIZE)); }

// Stacks that are not in use, for the next fibers.
struct Spare {
  std::vector<char*> stacks;
  ~Spare() {
    for (char* stack : stacks) munmap(stack, kStackBytes);
  }
};
thread_local Spare spare;

// Memory is only taken as it is touched; the lowest page is not to be touched.
char* new_stack() {
  if (!spare.stacks.empty()) {
    char* stack = spare.stacks.back();
    spare.stacks.pop_back();
    return stack;
  }
  void* memory = mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  mprotect(memory, page(), PROT_NONE);
  return static_cast<char*>(memory);
}

}  // namespace

void start_fiber() {
  Fiber* self = current;
  self->arrive();
  self->entry_(self->argument_);
  self->ended_ = true;
  self->leave(true);
  __builtin_unreachable();
}

Fiber::Fiber(Entry entry, void* argument) : entry_(entry), argument_(argument), stack_(new_stack()) {
  auto** frame = reinterpret_cast<void**>(stack_ + kStackBytes) - kFrame;
  frame[kReturn] = reinterpret_cast<void*>(&start_fiber);
  inside_ = frame;
}

Fiber::~Fiber() {
#if defined(__SANITIZE_ADDRESS__)
  __asan_unpoison_memory_region(stack_, kStackBytes);
#endif
  spare.stacks.push_back(stack_);
}

void Fiber::resume() {
  resumed_by_ = current;
  current = this;
#if defined(__SANITIZE_ADDRESS__)
  void* fake = nullptr;
  __sanitizer_start_switch_fiber(&fake, stack_, kStackBytes);
#endif
  streamhmm_switch_stacks(&outside_, inside_);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(fake, nullptr, nullptr);
#endif
  current = resumed_by_;
}

void Fiber::pause() { current->leave(false); }

void Fiber::leave(bool for_good) {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(for_good ? nullptr : &fake_inside_, outside_bottom_, outside_size_);
#else
  static_cast<void>(for_good);
#endif
  streamhmm_switch_stacks(&inside_, outside_);
  arrive();
}

void Fiber::arrive() {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(fake_inside_, &outside_bottom_, &outside_size_);
#endif
}

}  // namespace streamhmm::host
