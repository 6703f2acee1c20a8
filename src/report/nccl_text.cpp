// nccl-tests' text layout (version 2.19.6), so that a parser made for nccl-tests reads our sweeps.
#include <fmt/format.h>

#include <cstdint>

#include "analysis/json_read.h"
#include "sxbench/base/build_info.h"
#include "sxbench/base/text.h"
#include "sxbench/report/report.h"

namespace sxb::report {
namespace {

using analysis::integer;
using analysis::member;
using analysis::number;
using analysis::text;

constexpr const char* kColumns =
    "#\n"
    "#                                                              out-of-place                       "
    "in-place          \n"
    "#       size         count      type   redop    root     time   algbw   busbw  #wrong     time   algbw  "
    " busbw  #wrong \n"
    "#        (B)    (elements)                               (us)  (GB/s)  (GB/s)             (us)  (GB/s)  "
    "(GB/s)         \n";

/// A number in `width` characters: two decimals, fewer as it grows, at last an exponent. nccl-tests
/// decides by the digits before the point, so 9999.999 is 10000.00 and one character too wide there;
/// equal rows need the same.
std::string fitted(std::optional<double> figure, int width) {
  if (!figure) return fmt::format("{:>{}}", "N/A", width);
  const double value = *figure;
  int digits = 0;
  for (double power = 1; value >= power; power *= 10) ++digits;
  if (digits < width - 2) return fmt::format("{:{}.2f}", value, width);
  if (digits < width - 1) return fmt::format("{:{}.1f}", value, width);
  if (digits < width + 1) return fmt::format("{:{}.0f}", value, width);
  return width >= 7 ? fmt::format("{:{}.1e}", value, width) : fmt::format("{:{}.0e}", value, width);
}

std::string placement(const Json& data, const char* key) {
  const Json& values = member(data, key);
  const std::optional<double> wrong = number(values, "wrong");
  // nccl-tests gives N/A one column less than a number.
  return fmt::format("  {}  {}  {}  {}", fitted(number(values, "time_us"), 7),
                     fitted(number(values, "algbw_gBps"), 6), fitted(number(values, "busbw_gBps"), 6),
                     wrong ? fmt::format("{:6g}", *wrong) : "  N/A");
}

/// NCCL's version code as nccl-tests prints it: "2.28.9" -> "22809". Empty if the text has another form.
std::string nccl_code(const std::string& text) {
  const std::vector<std::string> parts = split(text, '.');
  if (parts.size() < 3) return "";
  std::int64_t code = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    if (parts[i].empty() || parts[i].size() > 2 ||
        parts[i].find_first_not_of("0123456789") != std::string::npos) {
      return "";
    }
    code = code * 100 + std::stoll(parts[i]);
  }
  return std::to_string(code);
}

/// What stands behind the communicator, in place of nccl-tests' own version.
std::string library(const Json& device) {
  const std::string version = text(device, "nccl");
  if (text(device, "backend") != "nccl") return fmt::format("backend={}", text(device, "backend"));
  const std::string code = nccl_code(version);
  return fmt::format("nccl-library={}", code.empty() ? version : code);
}

std::string device_line(const record::Record& device) {
  const std::string pci = text(device.data, "pci");
  return fmt::format("#  Rank {:2} Group {:2} Pid {:6} on {:>10} device {:2} [{}] {}\n", device.rank, 0,
                     integer(device.data, "pid").value_or(0), device.node,
                     integer(device.data, "gpu").value_or(-1), pci.empty() ? "cpu" : pci,
                     text(device.data, "name"));
}

}  // namespace

std::string NcclText::header(const Json& sweep, const std::vector<record::Record>& devices,
                             const std::string& version) {
  const std::int64_t step_bytes = integer(sweep, "step_bytes").value_or(0);
  const bool additive = step_bytes > 0;
  std::string out = fmt::format("# sxbench {} nccl-tests-layout 2.19.6{}\n", version,
                                devices.empty() ? "" : fmt::format(" {}", library(devices.front().data)));
  out += fmt::format("# Collective test starting: {}_perf\n", text(sweep, "collective"));
  out += fmt::format(
      "# nThread 1 nGpus 1 minBytes {} maxBytes {} step: {}({}) warmup iters: {} iters: {} agg iters: 1 "
      "validation: {} graph: 0 unalign: 0\n",
      integer(sweep, "min_bytes").value_or(0), integer(sweep, "max_bytes").value_or(0),
      additive ? step_bytes : integer(sweep, "step_factor").value_or(0), additive ? "bytes" : "factor",
      integer(sweep, "warmup").value_or(0), integer(sweep, "iterations").value_or(0),
      integer(sweep, "check").value_or(0));
  out += "#\n# Using devices\n";
  for (const record::Record& device : devices) out += device_line(device);
  return out + kColumns;
}

std::string NcclText::row(const record::Record& collective) {
  const Json& data = collective.data;
  return fmt::format("{:12}  {:12}  {:>8}  {:>6}  {:>6}{}{}\n", integer(data, "size_bytes").value_or(0),
                     integer(data, "count").value_or(0), text(data, "dtype"), text(data, "redop"),
                     integer(data, "root").value_or(-1), placement(data, "out_of_place"),
                     placement(data, "in_place"));
}

std::string NcclText::footer(const std::vector<record::Record>& collectives) {
  double busbw = 0;
  double wrong = 0;
  int placements = 0;
  int checked = 0;
  for (const record::Record& record : collectives) {
    for (const char* key : {"out_of_place", "in_place"}) {
      const Json& values = member(record.data, key);
      if (const auto value = number(values, "busbw_gBps")) {
        busbw += *value;
        ++placements;
      }
      if (const auto value = number(values, "wrong")) {
        wrong += *value;
        ++checked;
      }
    }
  }
  // nccl-tests writes "0 OK" also when -c 0 checked nothing; that would be a claim without evidence.
  const std::string verdict =
      checked == 0 ? "N/A" : fmt::format("{:g} {}", wrong, wrong == 0 ? "OK" : "FAILED");
  const std::string name = collectives.empty() ? "none" : text(collectives.front().data, "collective");
  return fmt::format(
      "# Out of bounds values : {}\n# Avg bus bandwidth    : {} \n#\n# Collective test concluded: "
      "{}_perf\n#\n",
      verdict, placements == 0 ? "N/A" : fmt::format("{:g}", busbw / placements), name);
}

}  // namespace sxb::report
