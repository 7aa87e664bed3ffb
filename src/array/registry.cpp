#include <algorithm>

#include "array/impl.hpp"
#include "parallel/thread_pool.hpp"

namespace mlarray::array {

WriterRegistry::WriterRegistry() { parallel::at_fork_child(&WriterRegistry::after_fork); }

WriterRegistry& WriterRegistry::instance() {
  // Never destroyed: arrays may outlive every static object.
  static WriterRegistry* registry = new WriterRegistry;
  return *registry;
}

void WriterRegistry::add(const std::shared_ptr<Array::Impl>& writer) {
  const std::lock_guard lock(mutex_);
  std::erase_if(writers_, [](const auto& weak) { return weak.expired(); });
  writers_.push_back(writer);
}

std::vector<std::shared_ptr<Array::Impl>> WriterRegistry::all() {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<Array::Impl>> out;
  for (const auto& weak : writers_) {
    if (auto writer = weak.lock()) out.push_back(std::move(writer));
  }
  return out;
}

std::shared_ptr<Array::Impl> WriterRegistry::find(const std::filesystem::path& path,
                                                  const Array::Impl* except) {
  const std::vector<std::shared_ptr<Array::Impl>> candidates = all();
  if (candidates.empty()) return nullptr;
  const auto id = io::file_id(path);
  if (!id) return nullptr;
  for (const auto& candidate : candidates) {
    const std::lock_guard lock(candidate->write_mutex);
    if (candidate.get() != except && candidate->writer && candidate->writer->id() == *id) {
      return candidate;
    }
  }
  return nullptr;
}

void WriterRegistry::supersede(const std::filesystem::path& path, const Array::Impl* except) {
  if (const auto older = find(path, except)) {
    older->detach();
    const std::lock_guard lock(mutex_);
    notice_.push_back(older->path);
  }
}

std::vector<std::string> WriterRegistry::take_notice() {
  const std::lock_guard lock(mutex_);
  return std::exchange(notice_, {});
}

void WriterRegistry::after_fork() {
  WriterRegistry& registry = instance();
  for (const auto& writer : registry.all()) writer->after_fork();
  registry.writers_.clear();  // they belong to the parent
}

}  // namespace mlarray::array
