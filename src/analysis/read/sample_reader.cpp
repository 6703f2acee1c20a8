#include "analysis/read/sample_reader.h"

#include <fcntl.h>
#include <simdjson.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "record/kinds/node.h"
#include "record/typed.h"

namespace sxb::analysis {
namespace {

namespace ondemand = simdjson::ondemand;

constexpr double kAbsent = std::numeric_limits<double>::quiet_NaN();

/// Names of the fields behind the metrics, in their order.
const std::array<const char*, kGpuMetrics>& metric_fields() {
  using record::row_of;
  using record::Sample;
  static const std::array<const char*, kGpuMetrics> names = {row_of(&Sample::util_pct).name,
                                                             row_of(&Sample::mem_used_bytes).name,
                                                             row_of(&Sample::power_w).name,
                                                             row_of(&Sample::energy_mj).name,
                                                             row_of(&Sample::temp_c).name,
                                                             row_of(&Sample::sm_mhz).name,
                                                             row_of(&Sample::mem_mhz).name,
                                                             row_of(&Sample::nvlink_tx_bytes).name,
                                                             row_of(&Sample::nvlink_rx_bytes).name,
                                                             row_of(&Sample::sm_active_pct).name,
                                                             row_of(&Sample::tensor_active_pct).name,
                                                             row_of(&Sample::dram_active_pct).name,
                                                             row_of(&Sample::power_instant_w).name};
  return names;
}

/// Reads lines into one SampleLine, to whose members the names of the fields are bound.
class LineReader {
 public:
  LineReader() {
    // The clocks of the reading; those of the record around it say when it was sent.
    bound_ = {{"mono_ns", &line_.mono_ns}, {"wall_ns", &line_.wall_ns}};
    using record::Sample;
    for (const record::Field& field : record::fields_of<Sample>()) bound_.emplace_back(field.name, kNotRead);
    bind(record::row_of(&Sample::source).name, &line_.source);
    bind(record::row_of(&Sample::index).name, &line_.index);
    bind(record::row_of(&Sample::name).name, &line_.name);
    bind(record::row_of(&Sample::reason).name, &line_.reason);
    for (std::size_t i = 0; i < kGpuMetrics; ++i) bind(metric_fields()[i], &line_.values[i]);
    bind(record::row_of(&Sample::throttle).name, &line_.throttle);
    bind(record::row_of(&Sample::rx_bytes).name, &line_.rx_bytes);
    bind(record::row_of(&Sample::tx_bytes).name, &line_.tx_bytes);
    bind(record::row_of(&Sample::cpu_pct).name, &line_.cpu_pct);
  }

  /// nullptr if `text` is cut off or no sample. SIMDJSON_PADDING bytes behind it must be readable.
  const SampleLine* read(std::string_view text) {
    line_.clear();
    next_ = 0;
    ondemand::document document;
    ondemand::object record, data;
    const std::size_t readable = text.size() + simdjson::SIMDJSON_PADDING;
    if (parser_.iterate(text.data(), text.size(), readable).get(document) ||
        document.get_object().get(record) || record["data"].get_object().get(data))
      return nullptr;
    for (auto field : data) {
      std::string_view name;
      ondemand::value value;
      if (field.unescaped_key().get(name) || field.value().get(value) || !take(name, value)) return nullptr;
    }
    return &line_;
  }

 private:
  using Target =
      std::variant<std::monostate, double*, std::int64_t*, std::string*, std::optional<std::string>*>;
  static constexpr std::monostate kNotRead{};

  void bind(std::string_view name, Target target) { find(name) = target; }

  /// Fields come in the order of the table, though not all in every line: the search goes on behind the last.
  Target& find(std::string_view name) {
    for (std::size_t tried = 0; tried < bound_.size(); ++tried) {
      auto& [bound, target] = bound_[next_];
      if (++next_ == bound_.size()) next_ = 0;
      if (bound == name) return target;
    }
    return unknown_;
  }

  /// A value of another type says nothing. False: it cannot be read.
  bool take(std::string_view name, ondemand::value& value) {
    ondemand::json_type type{};
    if (value.type().get(type)) return false;
    const Target* target = &find(name);
    if (type == ondemand::json_type::number) {
      if (auto* const* number = std::get_if<double*>(target)) return !value.get_double().get(**number);
      if (auto* const* whole = std::get_if<std::int64_t*>(target)) return !value.get_int64().get(**whole);
    }
    if (type == ondemand::json_type::string) {
      std::string_view text;
      if (value.get_string().get(text)) return false;
      if (auto* const* always = std::get_if<std::string*>(target)) **always = text;
      if (auto* const* maybe = std::get_if<std::optional<std::string>*>(target)) **maybe = text;
    }
    return true;
  }

  ondemand::parser parser_;
  SampleLine line_;
  std::vector<std::pair<std::string_view, Target>> bound_;
  std::size_t next_ = 0;
  Target unknown_;
};

/// Calls `take` with each line of the file, without its newline and with padding behind it for the parser.
/// False: it cannot be read.
template <typename Take>
bool for_each_line(int fd, const Take& take) {
  std::vector<char> buffer((1 << 20) + simdjson::SIMDJSON_PADDING);
  std::size_t kept = 0;  // bytes of a line whose end is still to come
  while (true) {
    if (kept + simdjson::SIMDJSON_PADDING == buffer.size()) buffer.resize(2 * buffer.size());
    const std::size_t room = buffer.size() - simdjson::SIMDJSON_PADDING - kept;
    const ssize_t n = ::read(fd, buffer.data() + kept, room);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    std::string_view text(buffer.data(), kept + static_cast<std::size_t>(n));
    for (std::size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
      take(text.substr(0, end));
      text.remove_prefix(end + 1);
    }
    if (n == 0) {
      if (!text.empty()) take(text);
      return true;
    }
    kept = text.size();
    std::copy(text.begin(), text.end(), buffer.begin());
  }
}

}  // namespace

const char* field_name(GpuMetric metric) { return metric_fields()[static_cast<std::size_t>(metric)]; }

void SampleLine::clear() {
  source.clear();
  name.clear();
  reason.clear();
  throttle.reset();
  mono_ns = wall_ns = 0;
  index = -1;
  values.fill(kAbsent);
  cpu_pct = tx_bytes = rx_bytes = kAbsent;
}

bool read_samples(const std::filesystem::path& path, const std::function<void(const SampleLine&)>& take) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  LineReader reader;
  const bool whole = for_each_line(fd, [&](std::string_view text) {
    if (const SampleLine* line = reader.read(text)) take(*line);
  });
  ::close(fd);
  return whole;
}

}  // namespace sxb::analysis
