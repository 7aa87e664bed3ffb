// Between the two halves of this folder: what the pool tells the fork gate, and the reverse.
#pragma once

namespace mlarray::parallel {

// Makes this thread a worker: what it does is part of the operation of a caller, who waits for
// it, so it never waits at the gate.
void enter_worker_thread() noexcept;

// Joins all workers; they are started again on use. Jobs that run go on in their callers.
void join_workers() noexcept;

}  // namespace mlarray::parallel
