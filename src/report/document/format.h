// Numbers as people, CSV and JSON readers want them; "–" and empty cells where nothing was measured.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "record/record.h"

namespace sxb::report {

/// About four significant digits, no exponent between 0.001 and 10^9: "13566", "365.1", "51.03", "0.587".
std::string sensible(double value);
/// sensible(), or "–" where the value is missing.
std::string cell(const std::optional<double>& value);
/// By hint: counts whole, ratios as percent, others sensible(). No unit: the column names it.
std::string cell(const std::optional<double>& value, record::Hint hint);
/// The unit a column of this hint shows: "%" for ratios, else `unit`.
std::string shown_unit(record::Hint hint, const std::string& unit);

/// Seven significant digits; empty where the value is missing.
std::string csv(const std::optional<double>& value);
/// Quoted where RFC 4180 wants it; with a ' before what a spreadsheet would take for a formula: names come
/// from nodes.
std::string csv(const std::string& text);
/// One line with its newline.
std::string csv_line(const std::vector<std::string>& cells);

/// Objects over several lines, arrays of plain values on one, so that long series stay readable.
std::string readable_json(const Json& value);

/// Counts, bytes and nanoseconds as integers, everything else as read; a count between two whole numbers (the
/// median of an even number of repeats) stays as it is. null where the value is missing.
Json json_number(const std::optional<double>& value, record::Hint hint);
/// null where the value is missing.
template <typename T>
Json json_or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

}  // namespace sxb::report
