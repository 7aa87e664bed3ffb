// Files that lose bytes under an open map. Signals are per process, so each test has its own.
#include "io/map_guard.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "io/byte_source.hpp"
#include "io/system.hpp"
#include "support/child_process.hpp"
#include "support/errors.hpp"
#include "support/temp_dir.hpp"

namespace mlarray::io {
namespace {

using test::run_in_child;
using test::TempDir;
using test::write_text;

constexpr std::size_t kPages = 64;

std::size_t file_size() { return kPages * static_cast<std::size_t>(system::page_size()); }

unsigned sum(std::span<const std::byte> bytes) {
  unsigned total = 0;
  for (const volatile std::byte& b : bytes) total += static_cast<unsigned>(b);
  return total;
}

// A map of a file that is cut off, of which the library knows nothing.
const volatile char* foreign_map(const std::filesystem::path& path) {
  write_text(path, std::string(file_size(), 'x'));
  const system::Descriptor file = system::open_to_read(path);
  void* start = ::mmap(nullptr, file_size(), PROT_READ, MAP_SHARED, file.get(), 0);
  std::filesystem::resize_file(path, 0);
  return static_cast<const volatile char*>(start);
}

void plain_fault_handling() {
  struct sigaction plain = {};
  plain.sa_handler = SIG_DFL;  // sanitizers have a handler of their own
  ::sigaction(SIGBUS, &plain, nullptr);
}

TEST(MapGuard, ACutFileIsAnErrorAndNoSignal) {
  const TempDir folder;
  const auto path = folder / "a";
  const int status = run_in_child([&] {
    write_text(path, std::string(file_size(), 'x'));
    const auto source = open_mapped(path);
    const Bytes all = source->get({0, file_size()});
    source->check();
    std::filesystem::resize_file(path, 100);
    if (sum(all.data.first(100)) != 100 * 'x') return 1;
    const unsigned rest = sum(all.data.subspan(100));
    if (rest != 0) return 2;
    const auto error = test::error_of([&] { source->check(); });
    if (!error || error->kind() != ErrorKind::corruption) return 3;
    for (const std::string& part :
         {path.string(), std::string("100 of "), std::to_string(file_size()),
          std::string("open it again")}) {
      if (std::string(error->what()).find(part) == std::string::npos) return 4;
    }
    // For good, even if the bytes come back.
    std::filesystem::resize_file(path, file_size());
    source->refresh();
    const auto later = test::error_of([&] { source->check(); });
    return later && later->kind() == ErrorKind::corruption ? 0 : 5;
  });
  EXPECT_EQ(status, 0);
}

TEST(MapGuard, ThreadsReadOnWhileTheFileIsCut) {
  const TempDir folder;
  const auto path = folder / "a";
  const int status = run_in_child([&] {
    for (int round = 0; round < 20; ++round) {
      write_text(path, std::string(file_size(), 'x'));
      const auto source = open_mapped(path);
      std::atomic<int> unnoticed = 0, errors = 0;
      {
        std::vector<std::jthread> threads;
        for (int t = 0; t < 4; ++t) {
          threads.emplace_back([&] {
            for (int i = 0; i < 10'000; ++i) {
              const Range range{static_cast<std::uint64_t>(i) % kPages * system::page_size(),
                                64};
              const auto error = test::error_of([&] {
                const unsigned got =
                    checked(*source, [&] { return sum(source->get(range).data); });
                if (got != 64 * 'x') ++unnoticed;
              });
              if (error && ++errors) return;
            }
          });
        }
        // Whole pages: in the rest of a page the system shows zeros without a fault.
        std::filesystem::resize_file(path,
                                     static_cast<std::uintmax_t>(round) * system::page_size());
      }
      if (unnoticed != 0) return 1;
    }
    return 0;
  });
  EXPECT_EQ(status, 0);
}

TEST(MapGuard, FindsTheMapAmongThousandsThatComeAndGo) {
  const TempDir folder;
  const int status = run_in_child([&] {
    write_text(folder / "whole", "x");
    write_text(folder / "cut", std::string(file_size(), 'x'));
    std::vector<std::unique_ptr<ByteSource>> sources;
    const auto open_some = [&](int count) {
      for (int i = 0; i < count; ++i) sources.push_back(open_mapped(folder / "whole"));
    };
    open_some(700);
    const auto cut = open_mapped(folder / "cut");
    for (std::size_t i = 0; i < 700; i += 2) sources[i].reset();
    // More maps than one block of slots holds, some in places that were free.
    std::vector<std::unique_ptr<std::atomic<bool>>> faults;
    std::vector<std::unique_ptr<system::MapGuard>> guards;
    const std::vector<std::byte> anything(100);
    for (int i = 0; i < 5000; ++i) {
      faults.push_back(std::make_unique<std::atomic<bool>>(false));
      guards.push_back(std::make_unique<system::MapGuard>(anything, *faults.back()));
    }
    const Bytes all = cut->get({0, file_size()});
    std::filesystem::resize_file(folder / "cut", 0);
    if (sum(all.data) != 0) return 1;
    for (const auto& source : sources) {
      if (source) source->check();
    }
    for (const auto& fault : faults) {
      if (*fault) return 2;
    }
    return test::error_of([&] { cut->check(); }) ? 0 : 3;
  });
  EXPECT_EQ(status, 0);
}

TEST(MapGuard, LeavesOtherFaultsToTheSystem) {
  const TempDir folder;
  write_text(folder / "a", "x");
  EXPECT_EQ(run_in_child([&] {
              plain_fault_handling();
              const auto source = open_mapped(folder / "a");
              static_cast<void>(*foreign_map(folder / "b"));
              return 0;
            }),
            -SIGBUS);
  EXPECT_EQ(run_in_child([&] {
              plain_fault_handling();
              const auto source = open_mapped(folder / "a");
              ::raise(SIGBUS);
              return 0;
            }),
            -SIGBUS);
}

// Handlers of somebody else, who counts calls and mends what he knows.
std::atomic<int> handler_calls = 0;
const volatile char* mended = nullptr;

void mend(int, siginfo_t* info, void*) {
  ++handler_calls;
  if (info->si_addr != const_cast<const char*>(mended)) ::_exit(77);
  void* page = info->si_addr;
  constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
  if (::mmap(page, file_size(), PROT_READ, kFlags, -1, 0) == MAP_FAILED) ::_exit(78);
}

void install_mend() {
  struct sigaction theirs = {};
  theirs.sa_sigaction = &mend;
  theirs.sa_flags = SA_SIGINFO;
  ::sigaction(SIGBUS, &theirs, nullptr);
}

TEST(MapGuard, PassesOtherFaultsToTheHandlerThatWasThereBefore) {
  const TempDir folder;
  write_text(folder / "a", "x");
  EXPECT_EQ(run_in_child([&] {
              install_mend();
              const auto source = open_mapped(folder / "a");
              for (int i = 1; i <= 3; ++i) {
                mended = foreign_map(folder / "b");
                if (*mended != 0 || handler_calls != i) return 1;
              }
              return 0;
            }),
            0);
  // A signal that was sent is passed on too.
  EXPECT_EQ(run_in_child([&] {
              install_mend();
              const auto source = open_mapped(folder / "a");
              ::raise(SIGBUS);
              return 0;
            }),
            77);
}

TEST(MapGuard, StaysInFrontOfHandlersThatComeLater) {
  const TempDir folder;
  EXPECT_EQ(run_in_child([&] {
              for (int round = 0; round < 20; ++round) {
                handler_calls = 0;
                write_text(folder / "a", std::string(file_size(), 'x'));
                const auto source = open_mapped(folder / "a");
                const Bytes all = source->get({0, file_size()});
                install_mend();
                std::filesystem::resize_file(folder / "a", 0);
                const auto error =
                    test::error_of([&] { checked(*source, [&] { return sum(all.data); }); });
                if (!error || handler_calls != 0) return 1;
                mended = foreign_map(folder / "b");
                if (*mended != 0 || handler_calls != 1) return 2;
              }
              return 0;
            }),
            0);
}

// What Python's faulthandler does: the old handler again, and the signal once more.
struct sigaction before_reporting;

void report(int signal) {
  if (++handler_calls > 10) ::_exit(78);
  ::sigaction(signal, &before_reporting, nullptr);
  ::raise(signal);
}

TEST(MapGuard, EndsTheProcessOnceAfterAHandlerThatReports) {
  const TempDir folder;
  write_text(folder / "a", "x");
  for (const bool opened_before : {true, false}) {
    EXPECT_EQ(run_in_child([&] {
                plain_fault_handling();
                std::unique_ptr<ByteSource> first;
                if (opened_before) first = open_mapped(folder / "a");
                struct sigaction reporting = {};
                reporting.sa_handler = &report;
                reporting.sa_flags = SA_NODEFER;
                ::sigaction(SIGBUS, &reporting, &before_reporting);
                const auto second = open_mapped(folder / "a");
                static_cast<void>(*foreign_map(folder / "b"));
                return 0;
              }),
              -SIGBUS)
        << opened_before;
  }
}

}  // namespace
}  // namespace mlarray::io
