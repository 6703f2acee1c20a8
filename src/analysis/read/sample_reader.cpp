#include "analysis/read/sample_reader.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <limits>
#include <optional>
#include <string_view>
#include <vector>

#include "analysis/read/json_read.h"

namespace sxb::analysis {
namespace {

constexpr double kAbsent = std::numeric_limits<double>::quiet_NaN();

/// The keys of a sample that anything is made of; the GPU's metrics come first, in their order.
enum Field : std::uint8_t {
  kMonoNs = kGpuMetrics,
  kWallNs,
  kIndex,
  kCpuPct,
  kTxBytes,
  kRxBytes,
  kSource,
  kName,
  kReason,
  kThrottle,
  kFieldCount,
  kUnknown = kFieldCount
};
constexpr std::array<std::string_view, kFieldCount> kNames = {"util_pct",
                                                              "mem_used_bytes",
                                                              "power_w",
                                                              "energy_mj",
                                                              "temp_c",
                                                              "sm_mhz",
                                                              "mem_mhz",
                                                              "nvlink_tx_bytes",
                                                              "nvlink_rx_bytes",
                                                              "sm_active_pct",
                                                              "tensor_active_pct",
                                                              "dram_active_pct",
                                                              "power_instant_w",
                                                              "mono_ns",
                                                              "wall_ns",
                                                              "index",
                                                              "cpu_pct",
                                                              "tx_bytes",
                                                              "rx_bytes",
                                                              "source",
                                                              "name",
                                                              "reason",
                                                              "throttle"};

/// From a key to its field: a hash table that the compiler fills, as each line asks a dozen times.
class FieldTable {
 public:
  constexpr FieldTable() {
    slots_.fill(kUnknown);
    for (std::uint8_t field = 0; field < kFieldCount; ++field) {
      std::size_t slot = first_slot(kNames[field]);
      while (slots_[slot] != kUnknown) slot = (slot + 1) % kSlots;
      slots_[slot] = field;
    }
  }
  constexpr std::uint8_t find(std::string_view key) const {
    if (key.empty()) return kUnknown;
    std::size_t slot = first_slot(key);
    while (slots_[slot] != kUnknown && kNames[slots_[slot]] != key) slot = (slot + 1) % kSlots;
    return slots_[slot];
  }

 private:
  static constexpr std::size_t kSlots = 128;
  static constexpr std::size_t first_slot(std::string_view key) {
    return (key.size() * 37 + static_cast<unsigned char>(key.front()) * 5u +
            static_cast<unsigned char>(key[key.size() / 2]) * 3u) %
           kSlots;
  }
  std::array<std::uint8_t, kSlots> slots_{};
};
constexpr FieldTable kTable;

void set_text(std::uint8_t field, std::string_view value, SampleLine& line) {
  if (field == kSource) line.source = value;
  if (field == kName) line.name = value;
  if (field == kReason) line.reason = value;
  if (field == kThrottle) {
    line.throttle = value;
    line.has_throttle = true;
  }
}

/// Reads the JSON number at `p` into `value`; where it ends, or null if there is none.
template <typename T>
const char* read_number(const char* p, const char* end, T& value) {
  const char* first = p < end && *p == '-' ? p + 1 : p;
  if (first == end || *first < '0' || *first > '9') return nullptr;  // from_chars takes "inf" and "nan"
  T parsed{};
  const auto [rest, error] = std::from_chars(p, end, parsed);
  if (error == std::errc()) value = parsed;
  return rest;
}

/// A whole number of up to 15 digits, as most are, is read without the care that a fraction takes.
const char* read_number(const char* p, const char* end, double& value) {
  constexpr std::ptrdiff_t kExactDigits = 15;
  std::int64_t whole = 0;
  const char* digit = p;
  const auto more = [&] {
    return digit < end && digit - p <= kExactDigits && *digit >= '0' && *digit <= '9';
  };
  for (; more(); ++digit) whole = whole * 10 + (*digit - '0');
  const bool is_whole = digit == end || *digit == ',';
  if (is_whole && digit > p && digit - p <= kExactDigits) {
    value = static_cast<double>(whole);
    return digit;
  }
  return read_number<double>(p, end, value);
}

/// The value at `p` is a number, true, false or null; the last three say nothing. Null: anything else.
const char* read_plain(std::uint8_t field, const char* p, const char* end, SampleLine& line) {
  const std::string_view rest(p, static_cast<std::size_t>(end - p));
  for (const std::string_view word : {"null", "true", "false"}) {
    if (rest.starts_with(word)) return p + word.size();
  }
  double ignored = 0;
  switch (field) {
    case kMonoNs:
      return read_number(p, end, line.mono_ns);
    case kWallNs:
      return read_number(p, end, line.wall_ns);
    case kIndex:
      return read_number(p, end, line.index);
    case kCpuPct:
      return read_number(p, end, line.cpu_pct);
    case kTxBytes:
      return read_number(p, end, line.tx_bytes);
    case kRxBytes:
      return read_number(p, end, line.rx_bytes);
    default:
      return read_number(p, end, field < kGpuMetrics ? line.values[field] : ignored);
  }
}

/// `"key":value` pairs between commas, no white space, values without structure.
bool read_pairs(const char* p, const char* end, SampleLine& line) {
  while (p < end && *p == '"') {
    const char* const key = ++p;
    while (p < end && *p != '"') ++p;
    if (end - p < 3 || p[1] != ':') return false;
    const std::uint8_t field = kTable.find({key, static_cast<std::size_t>(p - key)});
    p += 2;
    if (*p == '"') {
      const char* const text = ++p;
      while (p < end && *p != '"' && *p != '\\') ++p;
      if (p == end || *p != '"') return false;
      set_text(field, {text, static_cast<std::size_t>(p - text)}, line);
      ++p;
    } else {
      p = read_plain(field, p, end, line);
      if (p == nullptr) return false;
    }
    if (p == end) return true;
    if (*p++ != ',') return false;
  }
  return false;
}

/// Reads a sample as the head writes it: one line, no white space, a flat `data` object last. False if the
/// line is anything else. `data_at`: where that object was in the line before, and most likely is again.
bool read_flat(std::string_view text, std::size_t& data_at, SampleLine& line) {
  constexpr std::string_view kBegin = R"({"v":1,"kind":"sample",)", kData = R"("data":{)", kEnd = "}}";
  if (!text.starts_with(kBegin) || !text.ends_with(kEnd)) return false;
  if (data_at >= text.size() || text.substr(data_at, kData.size()) != kData) data_at = text.find(kData);
  if (data_at == std::string_view::npos) return false;
  return read_pairs(text.data() + data_at + kData.size(), text.data() + text.size() - kEnd.size(), line);
}

/// Any other line; false if it is no sample.
bool read_json(std::string_view text, SampleLine& line) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return false;
  const Json& data = json.contains("data") ? json["data"] : json;
  line.source = sxb::analysis::text(data, "source");
  line.name = sxb::analysis::text(data, "name");
  line.reason = sxb::analysis::text(data, "reason");
  line.throttle = sxb::analysis::text(data, "throttle");
  line.has_throttle = member(data, "throttle").is_string();
  line.mono_ns = integer(data, "mono_ns").value_or(0);
  line.wall_ns = integer(data, "wall_ns").value_or(0);
  line.index = static_cast<int>(integer(data, "index").value_or(-1));
  for (std::size_t i = 0; i < kGpuMetrics; ++i) {
    line.values[i] = number(data, std::string(kNames[i])).value_or(kAbsent);
  }
  line.cpu_pct = number(data, "cpu_pct").value_or(kAbsent);
  line.tx_bytes = number(data, "tx_bytes").value_or(kAbsent);
  line.rx_bytes = number(data, "rx_bytes").value_or(kAbsent);
  return true;
}

/// Calls `take` with each line of the file, without its newline. False: it cannot be read.
bool for_each_line(int fd, const std::function<void(std::string_view)>& take) {
  std::vector<char> buffer(1 << 20);
  std::size_t kept = 0;  // bytes of a line whose end is still to come
  while (true) {
    if (kept == buffer.size()) buffer.resize(2 * buffer.size());
    const ssize_t n = ::read(fd, buffer.data() + kept, buffer.size() - kept);
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

const char* field_name(GpuMetric metric) { return kNames[static_cast<std::size_t>(metric)].data(); }

void SampleLine::clear() {
  source.clear();
  name.clear();
  reason.clear();
  throttle.clear();
  has_throttle = false;
  mono_ns = wall_ns = 0;
  index = -1;
  values.fill(kAbsent);
  cpu_pct = tx_bytes = rx_bytes = kAbsent;
}

bool read_samples(const std::filesystem::path& path, const std::function<void(const SampleLine&)>& take) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  SampleLine line;
  std::size_t data_at = 0;
  const bool whole = for_each_line(fd, [&](std::string_view text) {
    line.clear();
    if (!read_flat(text, data_at, line)) {
      line.clear();
      if (!read_json(text, line)) return;
    }
    take(line);
  });
  ::close(fd);
  return whole;
}

}  // namespace sxb::analysis
