// Between the two halves of this folder: what the pool tells the fork gate, and the reverse.
#pragma once

namespace mlarray::parallel {

// Makes this thread a worker: what it does is part of the operation of a caller, who waits for
// it, so it never waits at the gate.
void enter_worker_thread() noexcept;

// Whether a fork waits for this and other threads to leave. A load of a word that each
// operation of the process writes twice.
bool fork_waits() noexcept;
// Whether this thread is in one operation only, so that whoever began it holds nothing.
bool may_let_fork_pass() noexcept;
// Leaves the operation, waits until no fork is going on, and enters it again.
void let_fork_pass() noexcept;

// Joins all workers; they are started again on use. Jobs that run go on in their callers.
void join_workers() noexcept;

}  // namespace mlarray::parallel
