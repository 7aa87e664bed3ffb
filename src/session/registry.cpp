#include "session/registry.hpp"

#include <algorithm>
#include <system_error>
#include <utility>

#include "mlarray/error.hpp"
#include "parallel/thread_pool.hpp"
#include "session/impl.hpp"

namespace mlarray::session {

Registry::Registry() { parallel::at_fork_child(&Registry::after_fork); }

Registry& Registry::instance() {
  // Never destroyed: arrays may outlive every static object.
  static Registry* registry = new Registry;
  return *registry;
}

Registry::NameLock::NameLock(const std::filesystem::path& path) {
  std::error_code ignored;
  name_ = std::filesystem::weakly_canonical(path, ignored).string();
  if (ignored) name_ = path.string();
  Registry& registry = instance();
  {
    const std::lock_guard lock(registry.mutex_);
    std::weak_ptr<std::mutex>& known = registry.names_[name_];
    mutex_ = known.lock();
    if (!mutex_) known = mutex_ = std::make_shared<std::mutex>();
  }
  mutex_->lock();
}

Registry::NameLock::~NameLock() {
  mutex_->unlock();
  Registry& registry = instance();
  const std::lock_guard lock(registry.mutex_);
  mutex_.reset();
  const auto it = registry.names_.find(name_);
  if (it != registry.names_.end() && it->second.expired()) registry.names_.erase(it);
}

void Registry::add(io::FileId file, const std::shared_ptr<Array::Impl>& writer) {
  const std::lock_guard lock(mutex_);
  std::erase_if(writers_, [&](const auto& entry) {
    const auto& known = entry.second;
    const bool same = !known.owner_before(writer) && !writer.owner_before(known);
    return same || known.expired();
  });
  writers_[file] = writer;
}

std::vector<std::shared_ptr<Array::Impl>> Registry::all() {
  std::vector<std::shared_ptr<Array::Impl>> out;  // goes after the lock
  const std::lock_guard lock(mutex_);
  for (const auto& [file, weak] : writers_) {
    if (auto writer = weak.lock()) out.push_back(std::move(writer));
  }
  return out;
}

std::shared_ptr<Array::Impl> Registry::writer_of(const std::filesystem::path& path) {
  {
    const std::lock_guard lock(mutex_);
    if (writers_.empty()) return nullptr;
  }
  const auto id = io::file_id(path);
  if (!id) return nullptr;
  std::shared_ptr<Array::Impl> found;  // goes after the lock
  const std::lock_guard lock(mutex_);
  if (const auto it = writers_.find(*id); it != writers_.end()) found = it->second.lock();
  // An entry outlives the writing.
  return found && !found->closed && !found->detached ? found : nullptr;
}

void Registry::note_detached(const Array::Impl& older) {
  const std::lock_guard lock(mutex_);
  notice_.push_back(older.path);
}

std::vector<std::string> Registry::take_notice() {
  const std::lock_guard lock(mutex_);
  return std::exchange(notice_, {});
}

void Registry::after_fork() {
  Registry& registry = instance();
  for (const auto& writer : registry.all()) writer->after_fork();
  registry.writers_.clear();  // they belong to the parent
}

void begin_file(std::optional<io::AtomicFile>& out, const std::filesystem::path& path,
                CommitLevel level) {
  std::shared_ptr<Array::Impl> writer;  // goes after the name lock
  const Registry::NameLock name(path);
  writer = Registry::instance().writer_of(path);
  out.emplace(path, level, writer != nullptr);
}

void commit_own_writer(const std::filesystem::path& path) {
  const auto writer = Registry::instance().writer_of(path);
  if (!writer) return;
  try {
    writer->flush(writer->level);
  } catch (const Error&) {
    // The last commit is what the file holds; the writer keeps the error.
  }
}

}  // namespace mlarray::session
