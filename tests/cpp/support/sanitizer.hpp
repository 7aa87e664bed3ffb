// ThreadSanitizer refuses to start threads in a child that was forked from a program with
// threads, and takes the threads of the parent for leaks of the child, unless told otherwise.
// Include in one source file of a test program that forks.
#pragma once

#if defined(__SANITIZE_THREAD__)
extern "C" __attribute__((visibility("default"))) const char* __tsan_default_options();
extern "C" const char* __tsan_default_options() {
  return "die_after_fork=0:report_thread_leaks=0";
}
#endif
