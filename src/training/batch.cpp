#include "training/batch.hpp"

#include <string>
#include <utility>

#include "mlarray/error.hpp"
#include "parallel/thread_pool.hpp"

namespace mlarray::training {

base::Memory MemoryPool::take() {
  {
    const std::scoped_lock lock(mutex_);
    if (!free_.empty()) {
      base::Memory memory = std::move(free_.back());
      free_.pop_back();
      return memory;
    }
    free_.reserve(most_);  // so that give_back() takes no memory
  }
  return base::Memory(static_cast<std::size_t>(bytes_));
}

void MemoryPool::give_back(base::Memory memory) noexcept {
  const std::scoped_lock lock(mutex_);
  if (free_.size() < most_ && free_.size() < free_.capacity()) {
    free_.push_back(std::move(memory));
  }
}

void MemoryPool::close() noexcept {
  std::vector<base::Memory> gone;
  const std::scoped_lock lock(mutex_);
  most_ = 0;
  gone.swap(free_);
}

void Batch::Field::fail_elements(const DType& wanted) const {
  throw Error(ErrorKind::invalid_type, "the batch's field '" + name + "' is of dtype '" +
                                           dtype.text() + "', not of '" + wanted.text() +
                                           "'; choose the type by LoaderOptions::image_type "
                                           "or label_type");
}

Batch::Impl::Impl(const BatchLayout& layout, std::shared_ptr<MemoryPool> pool,
                  std::int64_t epoch_number, std::int64_t number)
    : draws(static_cast<std::size_t>(layout.batch)),
      affines(static_cast<std::size_t>(layout.batch)),
      epoch(epoch_number),
      index(number),
      label(layout.label),
      pool_(std::move(pool)),
      memory_(pool_->take()) {
  fields.reserve(layout.fields.size());
  for (const FieldLayout& one : layout.fields) {
    Field field;
    field.name = one.name;
    field.dtype = one.dtype;
    field.bfloat16 = one.kind == Kind::bf16;
    field.shape = {layout.batch, one.channels};
    const Shape& spatial = shape_of(layout, one);
    field.shape.insert(field.shape.end(), spatial.begin(), spatial.end());
    field.bytes = {data() + one.offset,
                   static_cast<std::size_t>(one.item_bytes * layout.batch)};
    fields.push_back(std::move(field));
  }
}

Batch::Impl::~Impl() {
  const parallel::OperationGuard guard;
  pool_->give_back(std::move(memory_));
}

Batch::Batch(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

std::span<const Batch::Field> Batch::fields() const { return impl_->fields; }

const Batch::Field* Batch::find(std::string_view name) const {
  const auto it = std::find_if(impl_->fields.begin(), impl_->fields.end(),
                               [&](const Field& field) { return field.name == name; });
  return it == impl_->fields.end() ? nullptr : &*it;
}

const Batch::Field& Batch::image() const { return impl_->fields.front(); }

const Batch::Field& Batch::label() const {
  if (impl_->label < 0) throw Error(ErrorKind::invalid_use, "the cases have no labels");
  return impl_->fields[static_cast<std::size_t>(impl_->label)];
}

std::span<const Draw> Batch::draws() const { return impl_->draws; }

std::int64_t Batch::epoch() const { return impl_->epoch; }

std::int64_t Batch::index() const { return impl_->index; }

Matrix Batch::affine(std::size_t i) const {
  if (i >= impl_->affines.size()) {
    throw Error(ErrorKind::out_of_bounds, "sample " + std::to_string(i) + " of a batch of " +
                                              std::to_string(impl_->affines.size()));
  }
  return impl_->affines[i];
}

}  // namespace mlarray::training
