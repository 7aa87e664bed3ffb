// Real child processes for tests (POSIX).
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <stdexcept>
#include <utility>

namespace mlarray::test {

// A forked child that runs `body` (returning its exit status, 0 to 99) and then _exit()s.
// SIGALRM ends it after `seconds`. An exception is printed and gives status 100.
class ChildProcess {
 public:
  template <typename Body>
  explicit ChildProcess(Body body, unsigned seconds = 20) {
    std::fflush(nullptr);
    pid_ = ::fork();
    if (pid_ < 0) throw std::runtime_error("fork failed");
    if (pid_ == 0) {
      ::alarm(seconds);
      int status = 100;
      try {
        status = body();
      } catch (const std::exception& error) {
        std::fprintf(stderr, "child: %s\n", error.what());
      } catch (...) {
        std::fprintf(stderr, "child: unknown exception\n");
      }
      ::_exit(status);
    }
  }
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  ~ChildProcess() {
    if (pid_ > 0) wait();
  }

  pid_t pid() const noexcept { return pid_; }

  // The exit status, or minus the number of the signal that ended it.
  int wait() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0) {
      if (errno != EINTR) throw std::runtime_error("waitpid failed");
    }
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

 private:
  pid_t pid_ = -1;
};

template <typename Body>
int run_in_child(Body body, unsigned seconds = 20) {
  return ChildProcess(std::move(body), seconds).wait();
}

// The number of threads of this process (Linux).
inline std::size_t thread_total() {
  std::size_t threads = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) {
    if (entry.is_directory()) ++threads;
  }
  return threads;
}

// Whether it comes to `expected`: the system counts a thread that was joined a little longer.
inline bool thread_total_becomes(std::size_t expected) {
  for (int i = 0; i < 2000; ++i) {
    if (thread_total() == expected) return true;
    ::usleep(1000);
  }
  return false;
}

// One-way signals between a parent and its child.
class Pipe {
 public:
  Pipe() {
    if (::pipe(ends_) != 0) throw std::runtime_error("pipe failed");
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    ::close(ends_[0]);
    ::close(ends_[1]);
  }

  void send() const {
    const char byte = 1;
    if (::write(ends_[1], &byte, 1) != 1) throw std::runtime_error("write to pipe failed");
  }
  void receive() const {
    char byte = 0;
    while (::read(ends_[0], &byte, 1) != 1) {
      if (errno != EINTR) throw std::runtime_error("read from pipe failed");
    }
  }

 private:
  int ends_[2] = {-1, -1};
};

}  // namespace mlarray::test
