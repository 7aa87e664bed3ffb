// The GIL is released while the core works.
#pragma once

#include <Python.h>

#include <chrono>
#include <thread>

namespace mlarray::bindings {

// It takes the GIL back when it ends. Where the interpreter has ended meanwhile, CPython before
// 3.14 ends the thread there, by unwinding its stack (pthread_exit), which aborts the process
// at the first function that may not throw. The thread then waits for the end of the process
// instead, as CPython 3.14 lets it. It holds no lock of the core by then.
class WithoutGil {
 public:
  WithoutGil() : state_(PyEval_SaveThread()) {}
  ~WithoutGil() noexcept(false) {
    WaitsWhenUnwound waits;
    PyEval_RestoreThread(state_);
    waits.returned = true;
  }
  WithoutGil(const WithoutGil&) = delete;
  WithoutGil& operator=(const WithoutGil&) = delete;

 private:
  struct WaitsWhenUnwound {
    bool returned = false;
    ~WaitsWhenUnwound() {
      while (!returned) std::this_thread::sleep_for(std::chrono::hours(1));
    }
  };
  PyThreadState* state_;
};

}  // namespace mlarray::bindings
