#include "session/registry.hpp"

#include <algorithm>
#include <new>
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
  name_ = resolved(path).string();
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

Registry::Entry Registry::entry_of(io::FileId file,
                                   const std::shared_ptr<Array::Impl>& writer) {
  Writers one;
  return one.extract(one.emplace(file, writer).first);
}

void Registry::add(Entry entry) noexcept {
  if (entry.empty()) return;
  const std::lock_guard lock(mutex_);
  std::erase_if(writers_, [&](const auto& known) {
    const auto& writer = known.second;
    const bool same =
        !writer.owner_before(entry.mapped()) && !entry.mapped().owner_before(writer);
    return same || writer.expired() || known.first == entry.key();
  });
  writers_.insert(std::move(entry));
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

Registry::Notice Registry::notice_of(const Array::Impl& older) { return {older.path}; }

void Registry::note_detached(Notice notice) noexcept {
  const std::lock_guard lock(mutex_);
  notice_.splice(notice_.end(), notice);
}

std::vector<std::string> Registry::take_notice() {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> out(notice_.begin(), notice_.end());
  notice_.clear();
  return out;
}

void Registry::after_fork() {
  Registry& registry = instance();
  for (const auto& [file, weak] : registry.writers_) {  // no thread is left to change them
    if (const auto writer = weak.lock()) writer->after_fork();
  }
  registry.writers_.clear();  // they belong to the parent
}

std::filesystem::path resolved(const std::filesystem::path& path) {
  std::error_code error;
  // First: the other leaves a relative path relative where its first folder is missing.
  const std::filesystem::path whole = std::filesystem::absolute(path, error);
  if (!error) {
    std::filesystem::path out = std::filesystem::weakly_canonical(whole, error);
    std::error_code ignored;
    // A link to what is not there yet.
    if (!error && std::filesystem::is_symlink(out, ignored)) {
      out = std::filesystem::weakly_canonical(io::follow_links(out), error);
    }
    if (!error) return out;
  }
  if (error == std::errc::not_enough_memory) throw std::bad_alloc();
  return path;
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
