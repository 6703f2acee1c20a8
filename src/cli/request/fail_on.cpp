#include "cli/request/fail_on.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>

#include "base/text.h"

namespace sxb::cli {
namespace {

constexpr const char* kWhere = "--fail-on";
constexpr const char* kExample = "for example --fail-on 'slower>3%,unstable,missing'";

Error bad_percentage(std::string_view text) {
  return {fmt::format("\"{}\" is no percentage between 0 and 100", text), kWhere,
          fmt::format("write the smallest change that matters with its %, {}", kExample)};
}

/// "3%", "0.5 %" as a ratio.
Result<double> parse_percentage(std::string_view text) {
  const std::string_view whole = trim(text);
  if (!whole.ends_with('%')) return bad_percentage(whole);
  const std::string_view digits = trim(whole.substr(0, whole.size() - 1));
  double value = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value, std::chars_format::fixed);
  if (error != std::errc{} || end != digits.data() + digits.size() || !(value > 0) || value >= 100) {
    return bad_percentage(whole);
  }
  return value / 100;
}

Status read_term(std::string_view term, FailOn& fail_on) {
  const std::size_t name_end = std::min(term.find_first_of("<>="), term.size());
  const std::string name(trim(term.substr(0, name_end)));
  const std::string_view rest = trim(term.substr(name_end));
  bool* flag = name == "slower"     ? &fail_on.slower
               : name == "unstable" ? &fail_on.unstable
               : name == "missing"  ? &fail_on.missing
                                    : nullptr;
  if (name.empty()) return Error{"a term is empty", kWhere, kExample};
  if (flag == nullptr) {
    return Error{fmt::format("\"{}\" is no verdict to fail on", name), kWhere,
                 suggest(name, {"slower", "unstable", "missing"})};
  }
  if (*flag) return Error{fmt::format("\"{}\" stands twice", name), kWhere, "name each verdict once"};
  *flag = true;
  if (rest.empty()) return ok_status();
  if (name != "slower") {
    return Error{fmt::format("\"{}\" takes no threshold", name), kWhere,
                 fmt::format("only slower has one, {}", kExample)};
  }
  if (rest.front() != '>' || rest.starts_with(">=")) {
    return Error{fmt::format("\"{}\" is not understood", trim(term)), kWhere,
                 fmt::format("the threshold follows a \">\", {}", kExample)};
  }
  SXB_ASSIGN_OR_RETURN(fail_on.threshold, parse_percentage(rest.substr(1)));
  return ok_status();
}

}  // namespace

Result<FailOn> parse_fail_on(std::string_view text) {
  FailOn fail_on;
  if (trim(text).empty()) return fail_on;
  for (const std::string& term : split(text, ',')) SXB_RETURN_IF_ERROR(read_term(trim(term), fail_on));
  return fail_on;
}

std::vector<std::string> failures(const analysis::Comparison& comparison, const FailOn& fail_on) {
  std::vector<std::string> out;
  const auto add = [&](std::size_t count, const std::string& why) {
    if (count > 0) out.push_back(fmt::format("{} figure{} {}", count, count == 1 ? "" : "s", why));
  };
  const auto count_if = [&](auto matches) {
    return static_cast<std::size_t>(std::count_if(comparison.items.begin(), comparison.items.end(), matches));
  };
  add(count_if([](const analysis::Compared& item) {
        return !item.a.disbelief.empty() || !item.b.disbelief.empty();
      }),
      "cannot be believed: IMPLAUSIBLE or wrong data");
  if (fail_on.slower) {
    add(comparison.count(analysis::Judgement::kSlower),
        fmt::format("SLOWER by more than {:g} %", comparison.threshold * 100));
  }
  if (fail_on.unstable) add(comparison.count(analysis::Judgement::kUnstable), "UNSTABLE");
  if (fail_on.missing) {
    add(count_if([](const analysis::Compared& item) { return item.a.value && !item.b.value; }),
        "of A MISSING in B");
  }
  return out;
}

}  // namespace sxb::cli
