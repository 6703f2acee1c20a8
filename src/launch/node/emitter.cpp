#include "launch/node/emitter.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/units.h"
#include "launch/os/interrupt.h"
#include "record/kinds/run.h"

namespace sxb::launch {

void Emitter::emit(const std::string& kind, Json data) {
  record::Record record;
  record.kind = kind;
  record.rank = origin_.rank;
  record.data = std::move(data);
  send(record::to_wire(origin_.nonce, stamped(std::move(record))));
}

void Emitter::emit_finding(const char* severity, const std::string& code, const Error& error, int rank) {
  std::string message = error.what;
  if (!error.where.empty()) message += " (" + error.where + ")";
  record::Record record = record::make(record::Finding{severity, code, std::move(message), error.help});
  record.rank = rank >= 0 ? rank : origin_.rank;
  send(record::to_wire(origin_.nonce, stamped(std::move(record))));
}

record::Record Emitter::stamped(record::Record record) const {
  record.task = origin_.task;
  record.node = origin_.node;
  record.mono_ns = monotonic_ns();
  record.wall_ns = wall_ns();
  return record;
}

void Emitter::send(const std::string& line) {
  const std::lock_guard lock(mutex_);
  if (ended_) return;
  sent_.add(line);
  write_line(line);
}

template <typename T>
void Emitter::end_with(T fields) {
  const std::lock_guard lock(mutex_);
  if (std::exchange(ended_, true)) return;
  fields.lines = sent_.lines();
  fields.hash = sent_.hex();
  record::Record record = stamped(record::make(fields));
  record.rank = origin_.rank;
  write_line(record::to_wire(origin_.nonce, record));
}

template void Emitter::end_with(record::RankEnd);
template void Emitter::end_with(record::AgentEnd);

/// In one write where the pipe takes it, with the lock held: lines never mix.
void Emitter::write_line(const std::string& line) {
  const std::string text = line + "\n";
  std::size_t done = 0;
  while (!broken_ && done < text.size()) {
    const ssize_t n = ::write(fd_, text.data() + done, text.size() - done);
    if (n >= 0) {
      done += static_cast<std::size_t>(n);
    } else if (errno == EAGAIN) {
      pollfd wait = {fd_, POLLOUT, 0};
      ::poll(&wait, 1, 1000);
    } else if (errno != EINTR) {
      broken_ = true;
    }
  }
}

bool Emitter::broken() const {
  const std::lock_guard lock(mutex_);
  return broken_;
}

Heartbeat::Heartbeat(Emitter& emitter)
    : thread_([this, &emitter] {
        std::unique_lock lock(mutex_);
        while (!done_) {
          emitter.emit(record::kind::kHeartbeat, Json::object());
          wake_.wait_for(lock, std::chrono::seconds(1), [this] { return done_; });
        }
      }) {}

Heartbeat::~Heartbeat() {
  {
    const std::lock_guard lock(mutex_);
    done_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

Result<InputLine> read_line(int fd, const std::string& what, std::size_t most) {
  constexpr int kLookAroundMs = 200;
  const std::string help = "sxbench starts its workers itself; use `sxbench run` or `sxbench nccl`";
  std::string line;
  std::vector<char> piece(std::size_t{1} << 16);
  while (true) {
    pollfd wait = {fd, POLLIN, 0};
    const int ready = ::poll(&wait, 1, kLookAroundMs);
    if (interrupts() > 0) {
      return Error{"told to end while it waited for " + what, "stdin", help, ExitCode::kInterrupted};
    }
    if (ready <= 0) continue;
    const ssize_t n = ::read(fd, piece.data(), piece.size());
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n <= 0) return Error{"the input ended before a whole line: " + what + " expected", "stdin", help};
    const std::string_view bytes(piece.data(), static_cast<std::size_t>(n));
    const std::size_t end = bytes.find('\n');
    line += bytes.substr(0, end);
    if (line.size() > most) {
      return Error{fmt::format("the line is longer than {}: {} expected",
                               format_bytes(static_cast<std::int64_t>(most)), what),
                   "stdin", help, ExitCode::kEnvironment};
    }
    if (end != std::string_view::npos) return InputLine{std::move(line), end + 1 < bytes.size()};
  }
}

}  // namespace sxb::launch
