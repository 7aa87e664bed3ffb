// What holds for every Array of the process.
#include "mlarray/process.hpp"

#include <atomic>
#include <string>

#include "base/environment.hpp"
#include "mlarray/error.hpp"
#include "parallel/thread_pool.hpp"
#include "session/impl.hpp"
#include "session/registry.hpp"

namespace mlarray {
namespace {

constexpr char kVariable[] = "MLARRAY_VERIFY";

enum class Choice { not_looked_up, off, on };
std::atomic<Choice> chosen = Choice::not_looked_up;

Choice initial() {
  const std::string value = base::environment_variable(kVariable).value_or("");
  if (value.empty() || value == "1") return Choice::on;
  if (value == "0") return Choice::off;
  throw Error(ErrorKind::invalid_value, std::string("environment variable ") + kVariable +
                                            " is '" + value +
                                            "', but must be 0 or 1; correct or unset it");
}

}  // namespace

void set_verification(bool on) { chosen.store(on ? Choice::on : Choice::off); }

bool verification() {
  Choice choice = chosen.load(std::memory_order_relaxed);
  if (choice == Choice::not_looked_up) {
    const Choice looked_up = initial();
    // Unless somebody has set it meanwhile.
    if (chosen.compare_exchange_strong(choice, looked_up)) choice = looked_up;
  }
  return choice == Choice::on;
}

std::vector<std::string> take_detached_notice() {
  const parallel::OperationGuard guard;
  return session::Registry::instance().take_notice();
}

void close_all_writers() noexcept {
  const parallel::OperationGuard guard;
  try {
    for (const auto& writer : session::Registry::instance().all()) {
      try {
        writer->close();
      } catch (...) {
        // One writer that cannot commit must not keep the others from it.
      }
    }
  } catch (...) {
    // No memory for the list.
  }
}

void set_num_threads(int n) { parallel::set_num_threads(n); }
int num_threads() { return parallel::num_threads(); }

}  // namespace mlarray
