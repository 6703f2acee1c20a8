// Where the time of a step goes: marks at the borders of its phases and around each wait of the
// compute stream for the communication stream, and spans for a trace.
//
// A mark is a stamp: on the GPU a kernel of one thread writes the device's nanosecond clock in its
// turn on the stream, on the CPU the host's clock is read. So marks work inside a CUDA graph too, all
// streams of a GPU share one clock, and reading them never stops the device.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "engine/base/stream.h"

namespace sxb::engine::train {

struct Device;

/// What the compute stream does from one mark to the next.
enum class StepPhase { kOutside, kForward, kBackward, kOptimizer, kExposedComm };

enum class Track { kCompute, kCommunication };

/// Times of one step on one rank: disjoint, so that their sum is the step but for the time between
/// the borders. On the GPU a wait counts about 3 us even if nothing was left to wait for.
struct PhaseTimes {
  double forward_ms = 0;       ///< embedding and blocks; of all micro-steps
  double backward_ms = 0;      ///< head and loss, whose forward and backward are one pass, and all else
  double optimizer_ms = 0;     ///< gradient norm and AdamW
  double exposed_comm_ms = 0;  ///< computing waited for communication
};

/// The meaning of the stamps of one step.
struct StepMarks {
  struct Mark {
    StepPhase begins;
    int stamp;
  };
  struct Span {
    const char* name;
    int unit;  ///< of the layout; -1: none
    Track track;
    int begin, end;  ///< stamps
  };
  std::vector<Mark> marks;  ///< of the compute stream, in its order
  std::vector<Span> spans;  ///< only while tracing
  int stamps = 0;
};

PhaseTimes phase_times(const StepMarks& marks, const std::int64_t* stamps_ns);

class StepClock {
 public:
  explicit StepClock(at::Device device);

  /// Room for the marks of a step with `micro_steps` over `units` of the layout.
  void reserve(std::int64_t micro_steps, std::int64_t units);
  /// A new step: forgets the marks of the last one.
  void begin();
  /// From here on the compute stream does `phase`.
  void enter(StepPhase phase, Stream compute);
  /// The compute stream waits for communication; nothing outside of a phase.
  void wait_begins(Stream compute);
  void wait_ends(Stream compute);

  /// Spans are kept too from the next step on.
  void trace(bool on) { tracing_ = on; }
  bool tracing() const { return tracing_; }
  /// Throws if marks and spans opened now might not find room to be closed.
  void check_room() const;
  int stamp(Stream stream);
  void add_span(const StepMarks::Span& span) { marks_.spans.push_back(span); }

  const StepMarks& marks() const { return marks_; }
  /// int64 (capacity) on the device: nanoseconds, of the device's own clock.
  const at::Tensor& stamps() const { return stamps_; }

 private:
  at::Tensor stamps_;
  StepMarks marks_;
  StepPhase phase_ = StepPhase::kOutside;
  bool tracing_ = false;
};

/// Work queued on a stream while this object lives: an NVTX range on the host, a span of the trace,
/// and on the CPU, where a collective computes nothing beside it, exposed communication.
class Span {
 public:
  Span(const Device& device, Track track, const char* name, int unit = -1);
  ~Span();
  Span(const Span&) = delete;
  Span& operator=(const Span&) = delete;

 private:
  bool blocks() const;
  Stream stream() const;
  const Device& device_;
  StepMarks::Span span_;
};

}  // namespace sxb::engine::train
